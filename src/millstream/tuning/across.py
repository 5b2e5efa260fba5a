"""A search whose trials are processes: proposed here, tried there, a bounded number at a time.

The record of a search is its runs. A trial's run is created with what was proposed, and ends with what came out, so a
search that was killed goes on from them, in any process of any machine that reaches the store. There is no second
record, such as a study in a database or a journal, that could tell another story.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, cast

from millstream.entities import Run
from millstream.errors import FunctionFailed, InvalidValue, NotInTime
from millstream.operations.limits import TAG_LENGTH
from millstream.projects.loopback import served
from millstream.tracking.client import MlflowClient
from millstream.tracking.logging import log_params, set_tags
from millstream.tracking.search import search_runs
from millstream.tracking.stores import get_tracking_uri
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from millstream.tuning.functions import FunctionObjective
from millstream.tuning.outcomes import COMPLETE, FAIL, Attempt, Objective, Outcome, SearchResult, TrialResult
from millstream.tuning.proposals import Proposal, Proposals, proposals_for
from millstream.tuning.searches import NUMBER, STATE, Search, flat, search_run, sound_keys

RECORD = "millstream.trial.record"
SEED = "millstream.search.seed"
_ERROR = "error"
_DIRECTION = "direction"
_DIRECTIONS = ("minimize", "maximize")


def search(
    objective: Callable[[dict[str, Any]], Any] | Objective, space: Any, n_trials: int, *, parallel: int = 1,
    direction: str = "minimize", metric: str = "value", algorithm: Any = None, seed: int | None = None,
    timeout: float | None = None, run_id: str | None = None, run_name: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> SearchResult:
    """Search for the best configuration, each trial in a process of its own, ``parallel`` of them at a time.

    The search is the active run, or a run of its own, and each trial a child of it. The ``objective`` is a function of
    a configuration, called with the trial's run as the active one, that returns a number, or a dictionary of numbers
    with one under ``metric``; or an entry point of a project (:func:`project_objective`, which names the metric
    itself). The ``space`` is one of Hyperopt, a dictionary of Optuna's distributions, or a function of an Optuna trial;
    ``algorithm`` is a sampler of Optuna or a function like ``hyperopt.tpe.suggest``, TPE unless given.

    A trial that raises, or whose process dies, is FAILED, and the search goes on. When the search itself is
    interrupted (by Ctrl-C or SIGTERM), its trials are ended, and they and the search are KILLED; when its process is
    killed, the processes of its trials end too. With the ``run_id`` of a search it goes on: trials that are over count,
    those that were interrupted are tried again, until ``n_trials`` are over. After ``timeout`` seconds no more begin.

    Raises InvalidValue for a wrong argument and for a search of another space, what starting a project raises,
    FunctionFailed when not one trial succeeded, and NotInTime when none began.
    """
    if n_trials < 1 or parallel < 1:
        raise InvalidValue(f"n_trials and parallel are at least 1, not {n_trials} and {parallel}")
    if direction not in _DIRECTIONS:
        raise InvalidValue.of("direction", direction, "it is minimize or maximize")
    if sound_keys({metric: None}) != {metric: None}:
        raise InvalidValue.of("metric", metric, "a metric's name has no such characters")
    tried = cast(Objective, objective) if hasattr(objective, "start") else FunctionObjective(objective, metric)
    with search_run(run_name, tags, run_id) as found:
        before = _Before.of(found, tried.metric, direction)
        chosen = before.seed if seed is None else seed
        proposals = proposals_for(
            space, algorithm, maximize=direction == "maximize", seed=chosen, parallel=parallel
        )
        found.tag({
            _DIRECTION: direction.upper(), "library": proposals.library, "parallel": parallel, "n_trials": n_trials,
            SEED: chosen,
        })
        under_way = _Searching(found, tried, proposals, maximize=direction == "maximize")
        under_way.take_over(before)
        # An embedded store is served once for all trials.
        with _interrupted_by_sigterm(), served(get_tracking_uri()):
            under_way.go_on(n_trials, parallel, None if timeout is None else time.monotonic() + timeout)
        return under_way.result()


class _Before:
    """What the runs of a search tell of the processes that searched before."""

    def __init__(self, seed: int, over: list[Run], interrupted: list[Run]) -> None:
        self.seed = seed
        self.over = over
        self.interrupted = interrupted

    @classmethod
    def of(cls, found: Search, metric: str, direction: str) -> _Before:
        told = MlflowClient().get_run(found.run_id).data.tags
        seed = int(told[SEED]) if SEED in told else random.SystemRandom().getrandbits(31)
        if SEED in told and told[_DIRECTION] != direction.upper():
            raise InvalidValue.of("direction", direction, f"the search began with {told[_DIRECTION].lower()}")
        children: list[Run] = search_runs(
            [found.experiment_id], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{found.run_id}'", output_format="list"
        )
        trials = sorted((one for one in children if RECORD in one.data.tags), key=_number)
        over = {_number(one): one for one in trials if _state(one, metric)}
        rest = {_number(one): one for one in trials if _number(one) not in over}
        for one in trials:
            if one.info.status in ("RUNNING", "SCHEDULED"):
                MlflowClient().set_terminated(one.info.run_id, _STATUS[_state(one, metric)])
        return cls(seed, list(over.values()), list(rest.values()))


_STATUS = {COMPLETE: "FINISHED", FAIL: "FAILED", None: "KILLED"}


def _number(run: Run) -> int:
    return int(run.data.tags[NUMBER])


def _state(run: Run, metric: str) -> str | None:
    """How a trial ended; None for one that was interrupted.

    A trial that ended well when the process of the search was gone already has all but its tag.
    """
    told = run.data.tags.get(STATE)
    if told is None and run.info.status == "FINISHED" and not math.isnan(run.data.metrics.get(metric, math.nan)):
        return COMPLETE
    return told if told in (COMPLETE, FAIL) else None


class _Searching:
    """A search under way. Proposals are asked for and told in the thread that searches, trials waited for in others."""

    def __init__(self, found: Search, objective: Objective, proposals: Proposals, *, maximize: bool) -> None:
        self._search = found
        self._objective = objective
        self._proposals = proposals
        self._sign = -1.0 if maximize else 1.0
        self._again: list[Run] = []
        self._next = 0
        self._over: dict[int, TrialResult] = {}
        self._error: str | None = None
        self._lock = threading.Lock()
        self._live: set[Attempt] = set()
        self._stopping = False

    def take_over(self, before: _Before) -> None:
        """Make the library know the trials that are over, and keep those in mind that are to be tried again."""
        for run in before.over:
            proposal = self._proposals.ask(_number(run), json.loads(run.data.tags[RECORD]))
            complete = _state(run, self._objective.metric) == COMPLETE
            value = run.data.metrics[self._objective.metric] if complete else None
            self._note(proposal, run.info.run_id, value, run.data.tags.get(_ERROR))
        self._again = list(before.interrupted)
        self._next = 1 + max(map(_number, [*before.over, *before.interrupted]), default=-1)

    def go_on(self, n_trials: int, parallel: int, until: float | None) -> None:
        """Try until so many trials are over, or the time is."""
        with ThreadPoolExecutor(parallel, "millstream-trial") as pool:
            trying: dict[Future[tuple[str, float | None, str | None]], Proposal] = {}
            try:
                while True:
                    while (
                        len(trying) < parallel and len(self._over) + len(trying) < n_trials
                        and (until is None or time.monotonic() < until)
                    ):
                        proposal = self._propose()
                        trying[pool.submit(self._try, proposal)] = proposal
                    if not trying:
                        return
                    for one in wait(trying, return_when=FIRST_COMPLETED).done:
                        run_id, value, error = one.result()
                        proposal = trying.pop(one)
                        self._note(proposal, run_id, value, error)
                        self._tell_best(proposal.number)
            finally:
                self._stop()

    def _propose(self) -> Proposal:
        if self._again:
            run = self._again.pop(0)
            return self._proposals.ask(_number(run), json.loads(run.data.tags[RECORD]))
        self._next += 1
        return self._proposals.ask(self._next - 1)

    def _try(self, proposal: Proposal) -> tuple[str, float | None, str | None]:
        """The run of the trial, its value and its error."""
        record = json.dumps(proposal.record)
        if len(record) > TAG_LENGTH:
            raise InvalidValue(
                f"a configuration of {len(record):,} characters cannot be kept; a run takes {TAG_LENGTH:,}",
                hint="search over fewer parameters, or with shorter names and choices",
            )
        with self._search.trial(proposal.number, {RECORD: record}) as child:
            if not self._objective.logs_params:
                log_params(sound_keys(flat(proposal.config)))
            outcome = self._outcome(proposal, child.run_id)
            if outcome.error is None:
                set_tags({STATE: COMPLETE})
                return child.run_id, outcome.metrics[self._objective.metric], None
            if self._stopping:
                child.status = "KILLED"
                return child.run_id, None, outcome.error
            child.status = "FAILED"
            set_tags({STATE: FAIL, _ERROR: outcome.error})
            return child.run_id, None, outcome.error

    def _outcome(self, proposal: Proposal, run_id: str) -> Outcome:
        with self._lock:
            if self._stopping:
                return Outcome(error="the search was ended before")
        attempt = self._objective.start(proposal.config, run_id, self._search.experiment_id)
        with self._lock:
            self._live.add(attempt)
            late = self._stopping
        if late:
            attempt.cancel()
        try:
            return attempt.wait()
        finally:
            with self._lock:
                self._live.discard(attempt)

    def _stop(self) -> None:
        """End the trials that are under way."""
        with self._lock:
            self._stopping = True
            live = list(self._live)
        cancelling = [threading.Thread(target=attempt.cancel) for attempt in live]
        for thread in cancelling:
            thread.start()
        for thread in cancelling:
            thread.join()

    def _note(self, proposal: Proposal, run_id: str, value: float | None, error: str | None) -> None:
        self._proposals.tell(proposal, value)
        self._search.runs[proposal.number] = run_id
        state = FAIL if value is None else COMPLETE
        self._over[proposal.number] = TrialResult(proposal.number, run_id, proposal.config, state, value)
        self._error = self._error or error

    def _best(self) -> TrialResult | None:
        complete = [one for one in self._over.values() if one.value is not None]
        return min(complete, key=lambda one: (self._sign * (one.value or 0.0), one.number), default=None)

    def _tell_best(self, number: int) -> None:
        best = self._best()
        if best is not None and best.value is not None:
            self._search.best_so_far(number, best.number, best.value, flat(best.params), self._objective.metric)

    def result(self) -> SearchResult:
        """What came out. Raises FunctionFailed when nothing did."""
        best = self._best()
        if not self._over:
            raise NotInTime("no trial began before the timeout", hint="search for longer")
        if best is None:
            raise FunctionFailed(
                f"not one of {len(self._over)} trials succeeded; the first ended with: {self._error}",
                hint="what a trial prints is kept in the folder logs of its run",
            )
        return SearchResult(self._search.run_id, [self._over[number] for number in sorted(self._over)], best)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """A polite request to end, such as a cancelled project's, ends the search as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
