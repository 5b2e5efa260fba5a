"""The run that an autologged training logs into: the active one, or one made for it and ended with it."""

from __future__ import annotations

import logging
import time
from typing import Any

from millstream.autolog.libraries import Settings
from millstream.errors import StoreUnavailable
from millstream.tracking import stores
from millstream.tracking.active import Live, end_top, local
from millstream.tracking.runs import start_run
from millstream.tracking.tags import MLFLOW_AUTOLOGGING

logger = logging.getLogger("millstream")

# A store that did not answer is not asked for new runs for so long: a loop of trainings would wait at each of them.
_REST_SECONDS = 30.0
_resting: dict[str, float] = {}


class Session:
    """A run while a training logs into it. ``is_ours`` says that it was made for the training, which then ends it."""

    def __init__(self, live: Live, is_ours: bool) -> None:
        self.run_id = live.run.info.run_id
        self.experiment_id = live.run.info.experiment_id
        self.recorder = live.recorder
        self.is_ours = is_ours

    def end(self, status: str, timeout: float | None = None) -> None:
        """End the run with ``status`` if it was made for the training; wait ``timeout`` seconds (EXIT_FLUSH_SECONDS
        unless given) until all of it is sent. What is not is sent later."""
        if not self.is_ours or all(live.run.info.run_id != self.run_id for live in local.stack):
            return
        ended = None
        while ended is None or ended.run.info.run_id != self.run_id:
            ended = end_top(status, timeout)


def begin(library: str, settings: Settings) -> Session | None:
    """The session of a training that begins in this thread.

    None when the training is not to be logged: into a run of the user's own where the library is set to ``exclusive``,
    or while the store rests. Raises whatever keeps a run from starting.
    """
    if local.stack:
        return None if settings.exclusive else Session(local.stack[-1], is_ours=False)
    uri = stores.get_tracking_uri()
    if time.monotonic() < _resting.get(uri, 0.0):
        logger.debug("the training is not logged: %s did not answer a moment ago", uri)
        return None
    tags: dict[str, Any] = {**(settings.extra_tags or {}), MLFLOW_AUTOLOGGING: library}
    try:
        start_run(tags=tags)
    except StoreUnavailable:
        _resting[uri] = time.monotonic() + _REST_SECONDS
        raise
    _resting.pop(uri, None)
    session = Session(local.stack[-1], is_ours=True)
    if not settings.silent:
        logger.info("autologging %s into the new run %s", library, session.run_id)
    return session
