"""A batch job at its times: what is due, what was missed, and waiting for what comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from millstream.errors import InvalidValue, MillstreamError
from millstream.inference.batch.execution import Execution, execute, finished, last_due
from millstream.inference.batch.jobs import BatchJob
from millstream.inference.batch.schedule import Schedule

__all__ = ["Due", "catch_up", "due_now", "follow"]

logger = logging.getLogger("millstream")

_LONGEST_WAIT = 60.0  # seconds: clocks are set, and machines sleep


@dataclass(frozen=True)
class Due:
    """Times for which a job is to be executed now, and how many before them are left out."""

    times: tuple[datetime, ...]
    missed: int


def due_now(schedule: Schedule, last: datetime | None, now: datetime, *, everything: bool = False) -> Due:
    """What is due at ``now``, when the job was done last for the time ``last`` (None: never).

    Of several times the latest is; with ``everything`` all are. A job that was never done is due for the latest time.
    """
    if last is None:
        return Due((schedule.latest(now),), 0)
    times = schedule.between(last, now)
    if everything or len(times) < 2:
        return Due(tuple(times), 0)
    return Due((times[-1],), len(times) - 1)


def catch_up(job: BatchJob, now: datetime | None = None, *, everything: bool = False) -> list[Execution]:
    """Execute what is due now and was not done yet, and return what was. Raises what an execution raises."""
    due = due_now(_schedule(job), last_due(job), now or datetime.now(timezone.utc), everything=everything)
    if due.missed:
        logger.warning("The batch job %s missed %d of its times before %s; they are left out", job.name, due.missed,
                       f"{due.times[0]:%Y-%m-%d %H:%M} UTC")
    return [execute(job, time, missed=due.missed) for time in due.times if finished(job, time) is None]


def follow(
    job: BatchJob, *, everything: bool = False, told: Callable[[Execution], None] = lambda execution: None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc), stop: threading.Event | None = None,
) -> None:
    """Execute a job at its times until ``stop`` is set; ``told`` hears of each execution.

    What was missed while nobody followed is caught up first. An execution that fails is logged, and the next time is
    waited for. A job that was never done begins with its next time.
    """
    schedule, stop = _schedule(job), stop or threading.Event()
    last = last_due(job) or now()
    while not stop.is_set():
        moment = now()
        due = due_now(schedule, last, moment, everything=everything)
        if due.missed:
            logger.warning("The batch job %s missed %d of its times", job.name, due.missed)
        for time in due.times:
            last = time
            if stop.is_set():
                return
            try:
                if finished(job, time) is None:
                    told(execute(job, time, missed=due.missed))
            except MillstreamError as error:
                logger.error("The batch job %s failed: %s", job.name, error)
        wait = (next(schedule.after(last)) - now()).total_seconds()
        stop.wait(min(max(wait, 0.0), _LONGEST_WAIT))


def _schedule(job: BatchJob) -> Schedule:
    if job.schedule is None:
        raise InvalidValue(f"the batch job {job.name!r} has no schedule", hint='give one: --cron "15 2 * * *"')
    return Schedule(job.schedule, job.timezone)
