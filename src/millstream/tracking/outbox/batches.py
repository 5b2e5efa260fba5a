"""From records to operations: batches within the limits of MLflow's protocol, in the order of the records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from mmap import mmap
from typing import NamedTuple

import msgspec

from millstream.entities import Metric, Param, RunTag
from millstream.operations import LogBatch, UpdateRun
from millstream.operations.limits import BATCH_ENTITIES, BATCH_METRICS, BATCH_PARAMS, BATCH_TAGS
from millstream.operations.runs import BATCH_BYTES
from millstream.tracking.outbox.records import (
    GAP,
    KEY,
    PARAMS,
    POINT,
    POINT_BYTES,
    TAGS,
    UPDATE,
    Mark,
    MetricName,
    decode_texts,
    decode_update,
)

# What JSON adds to the texts of one point and of one parameter or tag, and to a batch, at the most.
_POINT_JSON = 200
_TEXT_JSON = 24
_BATCH_JSON = 1_000
_json = msgspec.json.Encoder().encode


class Batch(NamedTuple):
    """An operation to be sent, and the offset up to which its answer acknowledges the records."""

    operation: LogBatch | UpdateRun
    end: int
    entries: int


def _json_bytes(name: MetricName) -> int:
    return _POINT_JSON + sum(len(_json(text)) for text in name if text is not None)


def text_bytes(key: str, value: str) -> int:
    """The bytes that a parameter or tag takes in a request."""
    return _TEXT_JSON + len(_json(key)) + len(_json(value))


class Reader:
    """Makes batches of one file's records, from ``position`` on.

    ``source`` gives bytes when sliced. ``names`` and ``marks`` may grow while it reads: the process that appends adds
    a mark before it moves the end that it passes to :meth:`next`.
    """

    def __init__(
        self, source: bytes | mmap, run_id: str, position: int, names: dict[int, MetricName], marks: Iterable[Mark]
    ) -> None:
        self._source = source
        self._run_id = run_id
        self._names = names
        self._marks: deque[Mark] = marks if isinstance(marks, deque) else deque(marks)
        self._measured = 0
        self._largest = 0
        self.position = position
        while self._marks and self._marks[0].end <= position:
            self._marks.popleft()

    def next(self, end: int) -> Batch | None:
        """The next batch of what stands before ``end``; None when there is nothing to send."""
        metrics: list[Metric] = []
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        room = BATCH_BYTES - _BATCH_JSON
        marks = self._marks
        while self.position < end:
            mark = marks[0] if marks else None
            stop = end if mark is None else mark.position
            if self.position < stop:
                largest = self._largest_point()
                fitting = min(
                    (stop - self.position) // POINT_BYTES, room // largest, BATCH_METRICS - len(metrics),
                    BATCH_ENTITIES - len(metrics) - len(params) - len(tags),
                )
                if fitting <= 0:
                    break
                metrics += self._points(self.position, self.position + fitting * POINT_BYTES)
                room -= fitting * largest
                self.position += fitting * POINT_BYTES
                continue
            assert mark is not None
            if mark.kind == UPDATE:
                if metrics or params or tags:
                    break
                marks.popleft()
                self.position = mark.end
                change = decode_update(self._source[mark.position:mark.end])
                operation = UpdateRun(self._run_id, change.status, change.end_time, change.run_name)
                return Batch(operation, mark.end, 1)
            if mark.kind not in (KEY, GAP):
                texts = decode_texts(self._source[mark.position:mark.end])
                size = sum(text_bytes(key, value) for key, value in texts.items())
                into = params if mark.kind == PARAMS else tags
                full = (
                    size > room
                    or len(into) + len(texts) > (BATCH_PARAMS if mark.kind == PARAMS else BATCH_TAGS)
                    or len(metrics) + len(params) + len(tags) + len(texts) > BATCH_ENTITIES
                    # A parameter that was given two values is refused alone, not with its neighbours.
                    or (mark.kind == PARAMS and any(params.get(key, value) != value for key, value in texts.items()))
                )
                if full and (metrics or params or tags):
                    break
                into.update(texts)
                room -= size
            marks.popleft()
            self.position = mark.end
        if not (metrics or params or tags):
            return None
        operation_ = LogBatch(
            self._run_id, metrics, [Param(key, value) for key, value in params.items()],
            [RunTag(key, value) for key, value in tags.items()],
        )
        return Batch(operation_, self.position, len(metrics) + len(params) + len(tags))

    def waiting(self, end: int) -> int:
        """How many entries stand between :attr:`position` and ``end``."""
        position, entries = self.position, 0
        for mark in list(self._marks):
            entries += max(0, mark.position - position) // POINT_BYTES
            if mark.kind in (PARAMS, TAGS):
                entries += len(decode_texts(self._source[mark.position:mark.end]))
            elif mark.kind == UPDATE:
                entries += 1
            position = mark.end
        return entries + max(0, end - position) // POINT_BYTES

    def _points(self, start: int, end: int) -> list[Metric]:
        names = self._names
        return [
            Metric(name[0], value, timestamp, step, name[1], name[2], name[3])
            for word, timestamp, step, value, _ in POINT.iter_unpack(self._source[start:end])
            for name in (names[word],)
        ]

    def _largest_point(self) -> int:
        if self._measured != len(self._names):
            names = list(self._names.values())
            self._largest = max(self._largest, *(_json_bytes(name) for name in names[self._measured:]))
            self._measured = len(names)
        return self._largest
