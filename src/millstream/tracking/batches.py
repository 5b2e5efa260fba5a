"""Metrics, parameters and tags of any number, as requests within the limits of MLflow's protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from millstream.entities import Metric, Param, RunTag
from millstream.operations import LogBatch
from millstream.operations.limits import BATCH_ENTITIES, BATCH_METRICS, BATCH_PARAMS, BATCH_TAGS
from millstream.operations.runs import BATCH_BYTES

# What the texts of a batch may take: JSON writes a control character with six bytes and a quote with two, so that a
# batch of ordinary texts stays well within the limit and only a strange one goes beyond it.
_TEXT_BYTES = BATCH_BYTES // 2
_POINT_BYTES = 160


def in_batches(
    run_id: str, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = ()
) -> Iterator[LogBatch]:
    """Requests that together log everything, parameters first: each is all or nothing, the whole is not."""
    pending: dict[str, list[Metric | Param | RunTag]] = {"metrics": [], "params": [], "tags": []}
    most = {"metrics": BATCH_METRICS, "params": BATCH_PARAMS, "tags": BATCH_TAGS}
    count = size = 0
    for kind, items in (("params", params), ("tags", tags), ("metrics", metrics)):
        for item in items:
            weight = _weight(item)
            full = len(pending[kind]) == most[kind] or count == BATCH_ENTITIES or size + weight > _TEXT_BYTES
            if full and count:
                yield _batch(run_id, pending)
                count = size = 0
            pending[kind].append(item)
            count += 1
            size += weight
    if count:
        yield _batch(run_id, pending)


def _weight(item: Metric | Param | RunTag) -> int:
    if isinstance(item, Metric):
        return _POINT_BYTES + 3 * len(item.key)
    return 24 + len(item.key.encode()) + len(item.value.encode())


def _batch(run_id: str, pending: dict[str, list[Metric | Param | RunTag]]) -> LogBatch:
    made = LogBatch(
        run_id,
        metrics=[item for item in pending["metrics"] if isinstance(item, Metric)],
        params=[item for item in pending["params"] if isinstance(item, Param)],
        tags=[item for item in pending["tags"] if isinstance(item, RunTag)],
    )
    for items in pending.values():
        items.clear()
    return made
