"""Operations on the histories of metrics."""

from __future__ import annotations

from millstream.entities import Metric, MetricWithRunId
from millstream.entities.base import Int64
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_READ_ONE = Needs(Permission.READ, Resource.RUN, "run_id")
_READ_MANY = Needs(Permission.READ, Resource.RUN, "run_ids")
_EDIT = Needs(Permission.EDIT, Resource.RUN, "run_id")


class MetricHistory(Answer, frozen=True):
    """Points of one metric of one run, in the order of step, timestamp, value."""

    metrics: list[Metric] = []
    next_page_token: str | None = None


class MetricHistories(Answer, frozen=True):
    """Points of one metric of several runs."""

    metrics: list[MetricWithRunId] = []


class Series(Answer, frozen=True):
    """One metric of one run, reduced for a chart: parallel lists, in the order of step and timestamp.

    Of each bucket the first, last, smallest and greatest point are kept, each as it was logged;
    ``sampled`` says whether anything was left out.
    """

    run_id: str
    steps: list[int]
    timestamps: list[int]
    values: list[float]
    sampled: bool


class SeriesAnswer(Answer, frozen=True):
    """One series a run that has the metric."""

    series: list[Series] = []


class Deleted(Answer, frozen=True):
    """How many points were removed."""

    deleted: int


@operation("GET", "/2.0/mlflow/metrics/get-history", _READ_ONE, answer=MetricHistory)
class GetMetricHistory(Operation[MetricHistory], frozen=True):
    """Read the history of a metric; whole unless ``max_results`` asks for a page."""

    run_id: str
    metric_key: str
    max_results: Int64 | None = None
    page_token: str | None = None


@operation(
    "GET",
    "/2.0/mlflow/metrics/get-history-bulk",
    Needs(Permission.READ, Resource.RUN, "run_id"),
    answer=MetricHistories,
    ajax_only=True,
)
class GetMetricHistoryBulk(Operation[MetricHistories], frozen=True):
    """Read the first points of a metric of up to 100 runs, at most ``max_results`` (25,000) in all."""

    run_id: list[str]
    metric_key: str
    max_results: Int64 = 25_000


@operation("GET", "/2.0/mlflow/metrics/get-history-bulk-interval", _READ_MANY, answer=MetricHistories)
class GetMetricHistoryBulkInterval(Operation[MetricHistories], frozen=True):
    """Read a metric of up to 100 runs between two steps, each reduced to about ``max_results`` points."""

    run_ids: list[str]
    metric_key: str
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int64 = 320


@operation("POST GET", "/v1/metrics/series", _READ_MANY, answer=SeriesAnswer, writes=False)
class GetSeries(Operation[SeriesAnswer], frozen=True):
    """Read a metric of up to 200 runs for a chart: ``buckets`` a run, each keeping its first, last, min and max.

    ``by`` is ``step`` or ``time`` (milliseconds since the epoch); ``start`` and ``end`` are in its unit, both included.
    """

    run_ids: list[str]
    metric_key: str
    buckets: Int64 = 500
    by: str = "step"
    start: Int64 | None = None
    end: Int64 | None = None


@operation("POST", "/v1/metrics/delete", _EDIT, answer=Deleted)
class DeleteMetric(Operation[Deleted], frozen=True):
    """Remove the points of a metric from a step on; the whole metric unless ``from_step`` is given.

    Without a ``key``, of every metric of the run: what a run does that resumes from a checkpoint.
    """

    run_id: str
    key: str | None = None
    from_step: Int64 | None = None
