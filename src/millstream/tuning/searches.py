"""A search as a run with a child for each trial, whatever library proposes the trials."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from millstream.errors import ParameterChanged
from millstream.tracking.active import end_through, local, status_after
from millstream.tracking.logging import log_metrics, log_params, recorder_of
from millstream.tracking.runs import active_run, start_run

logger = logging.getLogger("millstream")

V = TypeVar("V")

# Tags of the children; with the parent's id they find the run of a trial again, also from another process.
NUMBER = "number"
STATE = "state"


_UNSOUND = re.compile(r"[^/\w.\- :]")


def sound_keys(values: Mapping[str, V]) -> dict[str, V]:
    """Names as a run takes them: what the library allows and a run does not, such as brackets, becomes ``_``."""
    return {_UNSOUND.sub("_", str(name)): value for name, value in values.items()}


def flat(config: Any, bare: str = "value") -> dict[str, Any]:
    """A configuration as parameters: nested names joined by dots, places of lists by their numbers.

    A bare value goes by the name ``bare``.
    """
    if isinstance(config, Mapping):
        items = [(str(name), value) for name, value in config.items()]
    elif isinstance(config, (list, tuple)):
        items = [(str(place), value) for place, value in enumerate(config)]
    else:
        return {bare: config}
    found: dict[str, Any] = {}
    for name, value in items:
        if isinstance(value, (Mapping, list, tuple)) and value:
            found |= {f"{name}.{below}": one for below, one in flat(value).items()}
        else:
            found[name] = value
    return found


class Trial:
    """The run of one trial. ``status`` is what it ends with; what ends the objective decides unless it is set."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.status: str | None = None


class Search:
    """The run of a search: the active one, started if there is none. Threads may try at the same time."""

    def __init__(self) -> None:
        parent = active_run() or start_run()
        self.run_id = parent.info.run_id
        self.experiment_id = parent.info.experiment_id
        self.runs: dict[int, str] = {}
        self._lock = threading.Lock()
        self._best: tuple[int, dict[str, Any]] | None = None

    @contextlib.contextmanager
    def trial(self, number: int, tags: Mapping[str, Any] | None = None) -> Iterator[Trial]:
        """A child of the search that is the active run of this thread until the block is left."""
        run = start_run(
            experiment_id=self.experiment_id, run_name=f"trial-{number}", nested=True, parent_run_id=self.run_id,
            tags={**(tags or {}), NUMBER: number},
        )
        made = Trial(run.info.run_id)
        with self._lock:
            self.runs[number] = made.run_id
        try:
            yield made
        except BaseException as error:
            made.status = made.status or status_after(error)
            raise
        finally:
            # An objective may have ended its run itself.
            if any(live.run.info.run_id == made.run_id for live in local.stack):
                end_through(made.run_id, made.status or "FINISHED")

    def tag(self, tags: Mapping[str, Any]) -> None:
        """Set tags of the search."""
        keeper = recorder_of(self.run_id)
        keeper.set_tags(tags, directly=not keeper.buffered)

    def best_so_far(self, number: int, best: int, value: float, params: Mapping[str, Any], key: str) -> None:
        """Note, after the trial ``number``, that the trial ``best`` with ``value`` is the best of all so far.

        The metric ``best_<key>`` of the search has a step for each trial; tags say which trial and which parameters.
        """
        with self._lock:
            known = self._best
            self._best = (best, dict(params))
        log_metrics({f"best_{key}": value}, step=number, run_id=self.run_id)
        if known is None or known[0] != best:
            tags = {"best_trial": best, "best_params": json.dumps(dict(params), default=str)}
            if best in self.runs:
                tags["best_run_id"] = self.runs[best]
            self.tag(tags)

    def close(self) -> None:
        """Log the parameters of the best trial as ``best_<name>``, now that no better one comes."""
        if self._best is None:
            return
        try:
            best = sound_keys({f"best_{name}": value for name, value in self._best[1].items()})
            log_params(best, run_id=self.run_id)
        except ParameterChanged:
            logger.warning("the run %s has the best parameters of an earlier search; its tags have the new ones",
                           self.run_id)


@contextlib.contextmanager
def search_run(
    run_name: str | None, tags: Mapping[str, Any] | None, run_id: str | None = None
) -> Iterator[Search]:
    """A search in the active run, or in one that is made for it, or goes on if there is a ``run_id``, and ends with it.
    """
    live = active_run()
    if live is not None and run_id in (None, live.info.run_id):
        search = Search()
        if tags:
            search.tag(tags)
        yield search
        search.close()
        return
    with start_run(run_id=run_id, run_name=run_name, tags=dict(tags or {})):
        search = Search()
        yield search
        search.close()
