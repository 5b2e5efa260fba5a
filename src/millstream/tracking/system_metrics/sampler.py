"""The thread that samples system metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol

from millstream import settings
from millstream.errors import InvalidValue
from millstream.tracking.system_metrics.gpu import open_gpus

logger = logging.getLogger(__name__)

PREFIX = "system/"

Log = Callable[[dict[str, float], int, int], object]


class Point(Protocol):
    """What :func:`next_step` looks at of a metric."""

    @property
    def key(self) -> str:
        """The metric's name."""

    @property
    def step(self) -> int:
        """The step of a point."""


def next_step(metrics: Iterable[Point]) -> int:
    """The step at which a resumed run goes on, given its latest metrics: one beyond the last system metric."""
    return max((metric.step for metric in metrics if metric.key.startswith(PREFIX)), default=-1) + 1


class SystemMetricsSampler:
    """Samples every ``interval`` seconds; the mean of ``samples`` samples goes to ``log(metrics, step, timestamp)``.

    ``metrics`` maps a key to a number, ``step`` counts the calls from ``first_step`` on, ``timestamp`` is milliseconds
    since the epoch. Keys begin with ``system/``, or ``system/<node_id>/`` on a machine that has been given a name. What
    is left out comes from the settings ``SYSTEM_METRICS_SAMPLING_INTERVAL``, ``…_SAMPLES_BEFORE_LOGGING`` and
    ``…_NODE_ID``. Raises InvalidValue for an interval or a number of samples that is not positive; from then on
    nothing is raised: a figure that cannot be read, or a ``log`` that fails, is a log message.
    """

    def __init__(
        self,
        log: Log,
        *,
        interval: float | None = None,
        samples: int | None = None,
        node_id: str | None = None,
        first_step: int = 0,
    ) -> None:
        self._log = log
        self._interval = settings.SYSTEM_METRICS_SAMPLING_INTERVAL.get() if interval is None else interval
        self._samples = settings.SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING.get() if samples is None else samples
        if self._interval <= 0:
            raise InvalidValue.of("interval", self._interval, "system metrics need a positive number of seconds")
        if self._samples <= 0:
            raise InvalidValue.of("samples", self._samples, "system metrics need at least one sample for a point")
        node = settings.SYSTEM_METRICS_NODE_ID.get() if node_id is None else node_id
        self._prefix = f"{PREFIX}{node}/" if node else PREFIX
        self._first_step = self._step = first_step
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="millstream-system-metrics", daemon=True)
        self._failed: set[str] = set()

    def start(self) -> None:
        """Begin sampling, in a daemon thread. A sampler starts once."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End sampling and log what has been sampled since the last point; waits at most ``timeout`` seconds.

        A run too short for its first point gets one now.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def __enter__(self) -> SystemMetricsSampler:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        sources: list[Callable[[], dict[str, float]]] = []
        gpus = list(open_gpus())
        try:
            from millstream.tracking.system_metrics.host import Host  # this thread loads psutil, not the training one

            sources.append(Host().sample)
        except Exception as error:
            self._report("the machine", error)
        sources.extend(reader.sample for reader in gpus)
        try:
            collected: list[dict[str, float]] = []
            while not self._stopping.wait(self._interval):
                collected.append(self._sample(sources))
                if len(collected) == self._samples:
                    self._publish(collected)
                    collected = []
            if not collected and self._step == self._first_step:
                collected.append(self._sample(sources))
            self._publish(collected)
        finally:
            for reader in gpus:
                try:
                    reader.close()
                except Exception as error:
                    self._report("closing a GPU driver", error)

    def _sample(self, sources: list[Callable[[], dict[str, float]]]) -> dict[str, float]:
        figures: dict[str, float] = {}
        for source in sources:
            try:
                figures.update(source())
            except Exception as error:
                self._report(source.__qualname__, error)
        return figures

    def _publish(self, collected: list[dict[str, float]]) -> None:
        values: defaultdict[str, list[float]] = defaultdict(list)
        for figures in collected:
            for key, value in figures.items():
                values[self._prefix + key].append(value)
        if not values:
            return
        means = {key: round(sum(numbers) / len(numbers), 4) for key, numbers in values.items()}
        try:
            self._log(means, self._step, int(time.time() * 1000))
        except Exception as error:
            self._report("logging", error)
        self._step += 1

    def _report(self, what: str, error: Exception) -> None:
        # Once for each reason: a thread that complains every ten seconds would fill the log of a long training.
        if what not in self._failed:
            self._failed.add(what)
            logger.warning("system metrics: %s failed: %s", what, error)
