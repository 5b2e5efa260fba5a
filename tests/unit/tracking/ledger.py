"""A store in memory whose troubles a test decides: an outage at the tenth request cannot be had from a real one."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

from millstream.entities import Metric
from millstream.errors import EndpointNotFound, InvalidValue, ParameterChanged, RunNotFound
from millstream.operations import OWNER, BeatRun, LogBatch, Operation, Principal, UpdateRun
from millstream.operations.codec import encode_request
from millstream.operations.limits import check_batch
from millstream.operations.runs import BATCH_BYTES
from millstream.stores.contract import Store

Point = tuple[str, float | str, int, int, str | None, str | None, str | None]


def point(metric: Metric) -> Point:
    """What a point is, in a form that compares (NaN as text)."""
    value: float | str = "NaN" if math.isnan(metric.value) else metric.value
    return (metric.key, value, metric.timestamp, metric.step, metric.model_id, metric.dataset_name,
            metric.dataset_digest)


class Ledger(Store):
    """Keeps what is logged as MLflow's protocol says, and notes every operation in ``heard``.

    ``before`` is called with each operation first: what it raises is the answer. ``after`` is called when the operation
    is done, so what it raises is an answer that was lost on the way.
    """

    def __init__(self, uri: str = "ledger://here") -> None:
        self._uri = uri
        self._lock = threading.Lock()
        self.before: Callable[[Operation[Any]], None] = lambda operation: None
        self.after: Callable[[Operation[Any]], None] = lambda operation: None
        self.heard: list[Operation[Any]] = []
        self.points: dict[str, dict[Point, None]] = {}
        self.received = 0
        self.params: dict[str, dict[str, str]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.updates: dict[str, list[UpdateRun]] = {}
        self.beats: dict[str, list[float]] = {}
        self.missing: set[str] = set()
        self.leases = True

    @property
    def uri(self) -> str:
        return self._uri

    def execute(self, operation: Operation[Any], principal: Principal = OWNER) -> Any:
        with self._lock:
            self.heard.append(operation)
            self.before(operation)
            self._take(operation)
            self.after(operation)

    def _take(self, operation: Operation[Any]) -> None:
        if isinstance(operation, BeatRun):
            if not self.leases:
                raise EndpointNotFound("no such path")
            self.beats.setdefault(operation.run_id, []).append(operation.seconds)
            return
        assert isinstance(operation, LogBatch | UpdateRun)
        run_id = operation.run_id
        if run_id in self.missing:
            raise RunNotFound(f"Run with id={run_id} not found")
        if isinstance(operation, UpdateRun):
            if operation.status == "NONSENSE":
                raise InvalidValue.of("status", operation.status, "it is none")
            self.updates.setdefault(run_id, []).append(operation)
            return
        check_batch(operation.metrics, operation.params, operation.tags)
        body = encode_request(operation)[2]
        assert body is not None and len(body) <= BATCH_BYTES
        known = self.params.get(run_id, {})
        for param in operation.params:
            if known.get(param.key, param.value) != param.value:
                raise ParameterChanged(f"Changing param values is not allowed: {param.key}")
        for metric in operation.metrics:
            if metric.key.startswith("!"):
                raise InvalidValue.of("key", metric.key, "it is not allowed")
        self.params.setdefault(run_id, {}).update({param.key: param.value for param in operation.params})
        self.tags.setdefault(run_id, {}).update({tag.key: tag.value for tag in operation.tags})
        self.points.setdefault(run_id, {}).update(dict.fromkeys(point(metric) for metric in operation.metrics))
        self.received += len(operation.metrics)

    def close(self) -> None:
        pass
