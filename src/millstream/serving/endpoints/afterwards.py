"""What is done beside an answer: requests are recorded, and copied to shadow versions. Nothing here waits or fails."""

from __future__ import annotations

import asyncio
from time import perf_counter

from millstream import settings
from millstream.errors import MillstreamError
from millstream.serving.endpoints.meter import Meter
from millstream.serving.endpoints.requests import Job, head_of
from millstream.serving.endpoints.routing import Table
from millstream.serving.endpoints.supervisor import Supervisor
from millstream.serving.monitoring.recorder import Recorder
from millstream.web.upstream import Broken

# Copies under way at one time; what is asked beyond them is not copied.
_SHADOWS = 64


class Afterwards:
    """Records and copies what one host has answered."""

    def __init__(self, supervisor: Supervisor, meter: Meter, recorder: Recorder | None) -> None:
        self._supervisor = supervisor
        self._meter = meter
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._shadows: set[asyncio.Task[None]] = set()
        self._seconds = settings.SCORING_SERVER_REQUEST_TIMEOUT.get()

    def see(self, job: Job, status: int, body: bytes | None) -> None:
        """A request was answered; ``body`` is None when it was passed on in pieces."""
        if job.rest != b"/invocations":
            return
        table = self._supervisor.tables.get(job.endpoint)
        if table is None:
            return
        whole = job.size == len(job.body)
        request = job.body if whole else None
        self._record(job, table, job.version, job.id.decode(), request, body, status, perf_counter() - job.started)
        for version in table.copies if whole else ():
            if version == job.version:
                continue
            if len(self._shadows) >= _SHADOWS:
                self._meter.count_shadow(job.endpoint, version, "left out")
                continue
            task = self._loop.create_task(self._shadow(job, table, version))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)

    def close(self) -> None:
        """Give up the copies under way."""
        for task in self._shadows:
            task.cancel()

    def _record(
        self, job: Job, table: Table, version: str, number: str, request: bytes | None, answer: bytes | None,
        status: int, seconds: float,
    ) -> None:
        if self._recorder is not None:
            kind = job.headers.get(b"content-type", b"").decode("latin-1")
            self._recorder.record(
                job.endpoint, version, number, request, kind, answer, status, seconds, model=table.model
            )

    async def _shadow(self, job: Job, table: Table, version: str) -> None:
        """Send a copy of a request to another version; its answer is counted and recorded, and nobody gets it."""
        replica = self._supervisor.replica(job.endpoint, version)
        outcome = "failed"
        if replica is not None and replica.pool is not None:
            replica.enter()
            started = perf_counter()
            try:
                due = self._loop.time() + self._seconds
                answer = await replica.pool.ask(
                    head_of(job, replica.pool.authority, len(job.body)) + job.body, due
                )
                if answer.body is None:
                    async for _ in answer.chunks():
                        continue
                outcome = "answered" if answer.status < 400 else "failed"
                self._record(job, table, version, f"{job.id.decode()}-shadow", job.body, answer.body, answer.status,
                             perf_counter() - started)
            except (Broken, MillstreamError):
                pass
            finally:
                replica.leave()
        self._meter.count_shadow(job.endpoint, version, outcome)
