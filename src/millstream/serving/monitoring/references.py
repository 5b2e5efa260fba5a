"""The training profile of a served version: the one that was set for it, or the one among its files."""

from __future__ import annotations

import logging
import time

from millstream.errors import BadModel, MillstreamError, NotFound
from millstream.flavors.loading import fetch_file
from millstream.models.profile import FILE, Profile
from millstream.operations import GetVersionProfile
from millstream.stores.contract import Store

logger = logging.getLogger("millstream.serving")

# How long a profile is taken to be what it was; another may be set for a version at any time.
_SECONDS = 300.0


class References:
    """Profiles by model and version, looked up in ``store`` and among the files of the version."""

    def __init__(self, store: Store, seconds: float = _SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self._known: dict[tuple[str, str], tuple[float, Profile | None]] = {}

    def __call__(self, model: str, version: str) -> Profile | None:
        """The profile of a version; None where there is none, or none can be read, which the log tells."""
        now = time.monotonic()
        until, found = self._known.get((model, version), (0.0, None))
        if until > now:
            return found
        try:
            found = self._look_up(model, version)
        except MillstreamError as error:
            logger.warning("the training profile of %s version %s is not read: %s", model, version, error)
            found = None
        self._known[model, version] = (now + self._seconds, found)
        return found

    def _look_up(self, model: str, version: str) -> Profile | None:
        try:
            text = self._store.execute(GetVersionProfile(model, version)).profile
            if text is not None:
                return Profile.from_json(text)
            file = fetch_file(f"models:/{model}/{version}", FILE)
        except NotFound:
            return None
        except BadModel as error:
            if FILE in error.message and "holds no file" in error.message:
                return None
            raise
        return Profile.from_json(file.read_bytes())
