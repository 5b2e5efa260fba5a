"""What is found out about a run while it trains: the state of its checkout, its notebook, its environment.

One thread asks, the answers are remembered, and what goes wrong is a line in the debug log: a tag is never worth a run.

The environment (see :mod:`millstream.tracking.environment`) would weigh more than all else a run logs, and the runs of
an experiment share a few of them. So a run gets the tag ``millstream.environment``, a digest, and its experiment the
tag ``millstream.environment.<digest>``, the environment as JSON. ``CAPTURE_ENVIRONMENT`` switches it off.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from millstream import settings
from millstream.entities import RunTag
from millstream.operations import LogBatch, SetExperimentTag
from millstream.operations.limits import EXPERIMENT_TAG_LENGTH

if TYPE_CHECKING:
    from millstream.stores.contract import Store
    from millstream.tracking.recorder import Recorder

logger = logging.getLogger("millstream")

ENVIRONMENT = "millstream.environment"
_REMEMBERED_SECONDS = 30.0
_EXIT_SECONDS = 5.0


class _Asked(NamedTuple):
    uri: str
    store: Store
    run_id: str
    experiment_id: str


class _Late:
    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.waiting: list[_Asked] = []
        self.thread: threading.Thread | None = None
        self.tags: dict[str, str] = {}
        self.asked_at = -_REMEMBERED_SECONDS
        self.sent: set[tuple[str, str, str]] = set()

    def ask(self, asked: _Asked) -> None:
        with self.lock:
            self.waiting.append(asked)
            if self.thread is None:
                self.thread = threading.Thread(target=self.work, name="millstream-context", daemon=True)
                self.thread.start()

    def work(self) -> None:
        while True:
            with self.lock:
                waiting, self.waiting = self.waiting, []
                if not waiting:
                    self.thread = None
                    return
            for asked in waiting:
                try:
                    self.tell(asked)
                except Exception as error:
                    logger.debug("the run %s keeps without some tags: %r", asked.run_id, error)

    def fresh(self) -> bool:
        return time.monotonic() - self.asked_at < _REMEMBERED_SECONDS

    def tell(self, asked: _Asked) -> None:
        if not self.fresh():
            from millstream.tracking.context import collect_late_tags

            self.tags = collect_late_tags()
            self.asked_at = time.monotonic()
        tags = dict(self.tags)
        if settings.CAPTURE_ENVIRONMENT.get():
            digest, text = environment()
            tags[ENVIRONMENT] = digest
            experiment = (asked.uri, asked.experiment_id, digest)
            if experiment not in self.sent:
                asked.store.execute(SetExperimentTag(asked.experiment_id, f"{ENVIRONMENT}.{digest}", text))
                self.sent.add(experiment)
        if tags:
            asked.store.execute(LogBatch(asked.run_id, tags=[RunTag(key, text) for key, text in tags.items()]))


_late = _Late()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_late.begin)


def known(uri: str, experiment_id: str) -> dict[str, str] | None:
    """The tags that an earlier run of this process has found out a moment ago: a new one can begin with them.

    None when they have to be asked for: :func:`find_out`.
    """
    if not _late.fresh():
        return None
    if not settings.CAPTURE_ENVIRONMENT.get():
        return dict(_late.tags)
    digest = environment()[0]
    return {**_late.tags, ENVIRONMENT: digest} if (uri, experiment_id, digest) in _late.sent else None


def find_out(keeper: Recorder) -> None:
    """Send what takes longer to know about a run, from a thread, soon."""
    _late.ask(_Asked(keeper.uri, keeper.store, keeper.run_id, keeper.experiment_id))


def wait(seconds: float = _EXIT_SECONDS) -> None:
    """Wait until nothing is left to find out, so many seconds at the most."""
    thread = _late.thread
    if thread is not None:
        thread.join(seconds)


@functools.cache
def environment() -> tuple[str, str]:
    """Digest and JSON text of this process's environment, the same on every machine that is set up alike."""
    import hashlib

    import msgspec

    from millstream.tracking.environment import capture

    facts: dict[str, Any] = capture().to_dict()
    del facts["hostname"]  # every pod has one of its own
    text = msgspec.json.encode(facts, order="deterministic")
    if len(text) > EXPERIMENT_TAG_LENGTH:
        facts["packages"] = {"count": len(facts["packages"])}
        text = msgspec.json.encode(facts, order="deterministic")
    return hashlib.sha256(text).hexdigest()[:16], text.decode()
