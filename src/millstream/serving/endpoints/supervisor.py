"""The supervisor of a serving host: from what the store desires to scoring processes, and back to the store.

It polls the store for a token that changes with everything it follows, plans (:mod:`.planner`), starts, replaces and
ends scoring processes, gives the router its tables (:mod:`.routing`), judges canaries, and reports.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import secrets
from collections import defaultdict
from dataclasses import dataclass
from typing import TypeVar

from millstream.entities.endpoint import (
    PlannedEndpoint,
    ReplicaState,
    wanted_versions,
    weights,
)
from millstream.errors import Conflict, MillstreamError, NotFound, NotServing
from millstream.operations import (
    BeatServingHost,
    EndServingHost,
    Operation,
    Principal,
    ReadServingPlan,
    ServingPlan,
)
from millstream.serving.endpoints.files import Files
from millstream.serving.endpoints.meter import Meter
from millstream.serving.endpoints.planner import Drain, Seen, Slot, Start, Wanted, plan, wanted
from millstream.serving.endpoints.reports import reports
from millstream.serving.endpoints.routing import Table, follow
from millstream.serving.endpoints.scoring import Launch, Scoring, now_ms, prepare
from millstream.serving.endpoints.threads import Worker, in_thread
from millstream.serving.endpoints.trials import Trials
from millstream.stores.contract import Store
from millstream.stores.http import PATIENCE

logger = logging.getLogger("millstream.serving")
A = TypeVar("A")

POLL_SECONDS = 0.5
BEAT_SECONDS = 3.0
_MOST_RETRY_SECONDS = 60.0
# A scoring process that lived so long is not one that dies at its start.
_SETTLED_SECONDS = 60.0
_PATIENT_SECONDS = 2.0
_PRINCIPAL = Principal("serving host", "system")


@dataclass
class _Trouble:
    """A slot whose process failed: how often in a row, and when it is started again."""

    form: str
    restarts: int
    retry_at: float


class Supervisor:
    """Keeps what one host serves as the store desires it. ``most_processes`` bounds its processes."""

    def __init__(
        self, store: Store, address: str, meter: Meter, *, most_processes: int | None = None,
        start_seconds: float = 600.0,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.address = address
        self.meter = meter
        self.tables: dict[str, Table] = {}
        self.planned: dict[str, PlannedEndpoint] = {}
        self.endpoint_of_model: dict[str, str] = {}
        self.scorings: dict[int, Scoring] = {}
        self.leaving = False
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._worker = Worker("millstream-host-store")
        self._files = Files()
        self._most = most_processes
        self._start_seconds = start_seconds
        self._token: str | None = None
        self._ready: dict[tuple[str, str], list[Scoring]] = {}
        self._troubles: dict[Slot, _Trouble] = {}
        self._withheld: list[Slot] = []
        self._asleep: set[tuple[str, str]] = set()
        self._used: dict[tuple[str, str], float] = {}
        self._woken: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._trials = Trials(meter)
        self._changed, self._news = asyncio.Event(), asyncio.Event()
        self._tell = True
        self._told_at = -BEAT_SECONDS
        self._started = now_ms()
        self._unreachable = False
        self._task: asyncio.Task[None] | None = None

    # For the router

    def replica(self, endpoint: str, version: str, avoid: Scoring | None = None) -> Scoring | None:
        """The process of a version that is ready and has the least to do; another than ``avoid`` if there is one."""
        found = self._ready.get((endpoint, version))
        if not found:
            return None
        if len(found) == 1:
            return found[0]
        now = self._loop.time()
        return min(found, key=lambda one: (one is avoid, one.doubted > now, one.in_flight))

    def used(self, endpoint: str, version: str) -> None:
        """Note that a version was asked for now."""
        self._used[endpoint, version] = self._loop.time()

    def asleep(self, endpoint: str, version: str) -> bool:
        """Whether a version was ended for want of requests."""
        return (endpoint, version) in self._asleep

    def wake(self, endpoint: str, version: str) -> asyncio.Future[None]:
        """Start a version that was ended for want of requests; the future is done when it is ready."""
        key = (endpoint, version)
        self._used[key] = self._loop.time()
        self._asleep.discard(key)
        waiting = self._woken.get(key)
        if waiting is None:
            waiting = self._woken[key] = self._loop.create_future()
            self._changed.set()
        return waiting

    # Life

    def start(self) -> None:
        """Begin."""
        self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        """Keep what runs as it is to be; the store is asked beside it, and may be away."""
        following = self._loop.create_task(self._follow())
        try:
            while True:
                self._changed.clear()
                try:
                    self.reconcile()
                except Exception as error:
                    logger.error("the supervisor met an unexpected problem", exc_info=error)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)
        finally:
            following.cancel()

    async def _follow(self) -> None:
        while True:
            self._news.clear()
            try:
                read = await self._ask(ReadServingPlan(self._token))
                if read is not None and read.changed:
                    self._take(read)
                    self.reconcile()
                for planned in list(self.planned.values()):
                    await self._try(planned)
                await self._report()
            except Exception as error:
                logger.error("the supervisor met an unexpected problem", exc_info=error)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), POLL_SECONDS)

    async def _try(self, planned: PlannedEndpoint) -> None:
        """Do what is due with the canary of an endpoint."""
        table = self.tables.get(planned.endpoint.name)
        due = self._trials.due(planned, table.traffic if table else (), self._failures(planned))
        if due is not None:
            await self._ask(due)
            self._news.set()

    def _failures(self, planned: PlannedEndpoint) -> int:
        """How often in a row the scoring process of an endpoint's canary has failed."""
        canary = planned.endpoint.canary
        slot = None if canary is None else Slot(planned.endpoint.name, canary.version, 0)
        return self._troubles[slot].restarts if slot in self._troubles else 0

    async def _ask(self, operation: Operation[A]) -> A | None:
        """The answer of the store; None when it does not answer, which is logged once."""
        try:
            answer = await self._worker.call(lambda: self._execute(operation))
        except (Conflict, NotFound) as error:
            logger.info("the store refuses what came too late: %s", error)
            return None
        except MillstreamError as error:
            if not self._unreachable:
                logger.warning("the store does not answer, what is served goes on: %s", error)
            self._unreachable = True
            return None
        if self._unreachable:
            self._unreachable = False
            logger.info("the store answers again")
            self._tell = True
        return answer

    def _execute(self, operation: Operation[A]) -> A:
        # What is served goes on without the store: the next step asks again.
        before = PATIENCE.set(_PATIENT_SECONDS)
        try:
            return self._store.execute(operation, _PRINCIPAL)
        finally:
            PATIENCE.reset(before)

    def _take(self, read: ServingPlan) -> None:
        self._token = read.token
        self.planned = {one.endpoint.name: one for one in read.endpoints}
        by_model: dict[str, list[str]] = defaultdict(list)
        for one in read.endpoints:
            by_model[one.endpoint.model].append(one.endpoint.name)
        # Paths that name a model mean its default endpoint, which has its name, else the first.
        self.endpoint_of_model = {model: model if model in names else min(names) for model, names in by_model.items()}

    def reconcile(self) -> None:
        """One step towards what is desired."""
        self._fall_asleep()
        ready: dict[tuple[str, str], list[Scoring]] = defaultdict(list)
        for one in self.scorings.values():
            if one.state == ReplicaState.READY:
                ready[one.slot.endpoint, one.slot.version].append(one)
        tables = {}
        for name, planned in self.planned.items():
            here = {version for endpoint, version in ready if endpoint == name}
            asleep = {version for endpoint, version in self._asleep if endpoint == name}
            tables[name] = follow(planned, here, asleep, self.tables.get(name))
        self.tables, self._ready = tables, dict(ready)
        for key in [key for key in self._woken if key in self._ready]:
            future = self._woken.pop(key)
            if not future.done():
                future.set_result(None)
        self._act(wanted(list(self.planned.values()), self._asleep))

    def _act(self, wishes: dict[Slot, Wanted]) -> None:
        now = self._loop.time()
        for slot, trouble in list(self._troubles.items()):
            wish = wishes.get(slot)
            if wish is None or wish.form != trouble.form:
                del self._troubles[slot]  # it is not wanted any more, or as something else
        for one in [one for one in self.scorings.values() if one.state == ReplicaState.FAILED]:
            if one.slot not in wishes or wishes[one.slot].form != one.form:
                self._drop(one)
        waiting = {slot for slot, trouble in self._troubles.items() if trouble.retry_at > now}
        pinned = {(name, version) for name, table in self.tables.items() for version in table.pinned()}
        seen = [Seen(one.id, one.slot, one.form, one.state, one.processes) for one in self.scorings.values()]
        room = max(2, os.cpu_count() or 1) - sum(one.state == ReplicaState.STARTING for one in seen)
        started: set[Slot] = set()
        for action in plan(wishes, seen, pinned, waiting, self._most):
            if isinstance(action, Drain):
                one = self.scorings[action.id]
                one.drain(self._seconds(one.slot.endpoint))
            else:
                started.add(action.slot)
                if room > 0:
                    room -= 1
                    self._start(action, wishes[action.slot])
        if self._most is not None:
            known = {one.slot for one in self.scorings.values()}
            withheld = [slot for slot in wishes if slot not in known and slot not in started]
            self._tell |= withheld != self._withheld
            self._withheld = withheld
        self._files.keep({
            (planned.endpoint.model, version)
            for planned in self.planned.values() for version in wanted_versions(planned.endpoint, planned.versions)
        } | {(self.tables[one.slot.endpoint].model, one.slot.version)
             for one in self.scorings.values() if one.slot.endpoint in self.tables})

    def _seconds(self, endpoint: str) -> float:
        from millstream import settings

        planned = self.planned.get(endpoint)
        given = None if planned is None else planned.endpoint.limits.seconds
        return (given or settings.SCORING_SERVER_REQUEST_TIMEOUT.get()) + 1.0

    def _start(self, action: Start, wish: Wanted) -> None:
        slot, planned = action.slot, self.planned[action.slot.endpoint]
        endpoint = planned.endpoint
        for one in [one for one in self.scorings.values() if one.slot == slot and one.state == ReplicaState.FAILED]:
            self._drop(one)

        def launch() -> Launch:
            folder, trusted = self._files.fetch(endpoint.model, slot.version)
            return prepare(endpoint, slot.version, folder, trusted)

        trouble = self._troubles.get(slot)
        one = Scoring(
            slot, action.form, wish.processes, trouble.restarts if trouble else 0,
            lambda: in_thread(launch, "millstream-host-launch"), self._on_change, self._start_seconds,
        )
        self.scorings[one.id] = one
        self._tell = True

    def _drop(self, one: Scoring) -> None:
        del self.scorings[one.id]
        self._tell = True

    def _on_change(self, one: Scoring) -> None:
        self._tell = True
        self._news.set()
        facts = {"endpoint": one.slot.endpoint, "version": one.slot.version, "state": one.state}
        if one.state == ReplicaState.STOPPED:
            self.scorings.pop(one.id, None)
        elif one.state == ReplicaState.FAILED:
            lived = one.ready_at and self._loop.time() - one.ready_at > _SETTLED_SECONDS
            restarts = 1 if lived else one.restarts + 1
            delay = 0.1 if restarts == 1 else min(_MOST_RETRY_SECONDS, 0.5 * 2.0**(restarts - 2))
            self._troubles[one.slot] = _Trouble(one.form, restarts, self._loop.time() + delay)
            self._loop.call_later(delay, self._changed.set)
            facts["error"] = one.error or ""
        level = logging.WARNING if one.state == ReplicaState.FAILED else logging.INFO
        logger.log(level, "scoring process", extra={"facts": facts})
        # The router must not send requests where nobody is: at once, not at the next step.
        self._ready = {
            key: kept for key, found in self._ready.items()
            if (kept := [scoring for scoring in found if scoring.state == ReplicaState.READY])
        }
        self._changed.set()

    def _fall_asleep(self) -> None:
        now = self._loop.time()
        known: set[tuple[str, str]] = set()
        for name, planned in self.planned.items():
            idle = planned.endpoint.idle_seconds
            if not idle:
                continue
            copies = self.tables[name].copies if name in self.tables else ()
            busy = {*weights(planned.endpoint, planned.versions), *copies}
            for version in wanted_versions(planned.endpoint, planned.versions):
                key = (name, version)
                if version in busy:
                    continue
                known.add(key)
                found = self._ready.get(key)
                if found and key not in self._asleep:
                    since = max(self._used.get(key, 0.0), *(one.ready_at for one in found))
                    if now - since > idle and not any(one.in_flight for one in found):
                        self._asleep.add(key)
                        self._tell = True
        self._asleep &= known

    # What the store is told

    async def _report(self, *, now: bool = False) -> None:
        due = self._loop.time() - self._told_at > BEAT_SECONDS
        if not (self._tell or due or now):
            return
        logs = due and any(one.log_changed for one in self.scorings.values())
        replicas = None
        if self._tell or logs or now:
            replicas = reports(self.scorings.values(), self._asleep, self._withheld, self._most)
        told = [one for one in self.scorings.values() if one.log_changed] if replicas is not None else []
        self._tell = False
        for one in told:
            one.log_changed = False
        self._told_at = self._loop.time()
        await self._ask(BeatServingHost(
            self.id, self.address, platform.node() or "unknown", os.getpid(), self._started,
            "STOPPING" if self.leaving else "READY", replicas,
        ))
        if self._unreachable:
            self._tell = True
            for one in told:
                one.log_changed = True

    # The end

    async def leave(self) -> None:
        """Say that this host takes no more requests."""
        self.leaving = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._report(now=True), 2.0)

    async def close(self) -> None:
        """End every scoring process, and say so."""
        self.leaving = True
        if self._task is not None:
            self._task.cancel()
        for future in self._woken.values():
            if not future.done():
                future.set_exception(NotServing("the serving host ends", hint="send the request again in a second"))
                future.exception()
        drains = [one.drain(self._seconds(one.slot.endpoint)) for one in list(self.scorings.values())]
        if drains:
            await asyncio.wait(drains)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ask(EndServingHost(self.id)), 3.0)
        self._worker.close()
        self._files.close()


__all__ = ["Supervisor"]
