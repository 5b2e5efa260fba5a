"""What the tables and charts of the web UI ask: runs as columns, what columns there are, curves for a screen."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.entities.base import Int64
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_SEARCH = Needs(Permission.READ, Resource.EXPERIMENT, "experiment_ids", filtered=True)


class RunTable(Answer, frozen=True):
    """Rows ``offset`` … ``offset + limit`` of a table of runs, column by column.

    ``total`` rows are in the whole table, made of ``matched`` runs. A cell is None where a run has no value; in columns
    of metrics a number that is none is one of the texts ``NaN``, ``Infinity``, ``-Infinity``. ``snapshot`` asks for
    other rows of the same table. Of a tree, ``depths`` and ``children`` say how deep a row lies and how many children
    it has. Of groups, ``ids`` are empty, ``counts`` say how many runs a group has and ``filters`` select them.
    """

    total: int
    matched: int
    snapshot: str
    ids: list[str] = msgspec.field(default_factory=lambda: list[str]())
    cols: dict[str, list[Any]] = msgspec.field(default_factory=lambda: dict[str, list[Any]]())
    depths: list[int] = []
    children: list[int] = []
    counts: list[int] = []
    filters: list[str] = []


class RunColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of some experiments' runs.

    ``kind`` is metric, param or tag; ``type`` what its values are: int, float, bool or text. ``count`` runs have it;
    it is an estimate unless ``exact``. ``distinct`` values were told apart until counting stopped; ``varies`` says that
    not all runs have the same. ``min`` and ``max`` are of numbers; of a parameter, of those that were looked at.
    """

    key: str
    kind: str
    type: str
    count: int
    distinct: int
    varies: bool = False
    exact: bool = False
    min: float | None = None
    max: float | None = None


class RunColumns(Answer, frozen=True):
    """The keys of some experiments' runs, those most often used first within a kind, and how many runs there are."""

    runs: int
    total: int
    columns: list[RunColumn] = []


class ValueCount(msgspec.Struct, frozen=True):
    """A text, and how many runs have it."""

    value: str
    count: int


class Distribution(Answer, frozen=True):
    """How the values of a column are spread over ``matched`` runs, of which ``present`` have one.

    Of numbers, ``counts`` are how many lie in each of the equally wide bars from ``low`` to ``high``; ``not_finite``
    are NaN or infinite. Of texts, ``values`` are the most frequent ones, and ``distinct`` how many there are.
    """

    matched: int
    present: int
    low: float | None = None
    high: float | None = None
    counts: list[int] = []
    not_finite: int = 0
    values: list[ValueCount] = []
    distinct: int = 0


class ChangedRuns(Answer, frozen=True):
    """The runs that were changed; with ``next_page_token``, others are still to be changed."""

    run_ids: list[str] = msgspec.field(default_factory=lambda: list[str]())
    next_page_token: str | None = None


class Curve(msgspec.Struct, frozen=True):
    """One metric of one run, a bucket each: where it begins, its smallest, greatest and last value.

    ``x`` is in the unit of the axis: steps, milliseconds since the epoch, or milliseconds since the run began. A bucket
    of nothing but NaN has the text ``NaN`` for a value; infinities are ``Infinity`` and ``-Infinity``. With
    ``exact`` each bucket is one point, as it was logged. About ``points`` points lie in the window.
    """

    run_id: str
    metric: str
    points: int
    exact: bool
    x: list[float]
    min: list[Any]
    max: list[Any]
    last: list[Any]


class Curves(Answer, frozen=True):
    """A curve for each run and metric with points in the window; ``x0`` and ``x1`` are the ends of what is there."""

    curves: list[Curve] = []
    x0: float | None = None
    x1: float | None = None


@operation("POST GET", "/v1/runs/query", _SEARCH, answer=RunTable, writes=False)
class QueryRuns(Operation[RunTable], frozen=True):
    """Read a window of the table of all runs that a filter selects, with the columns that are asked for.

    ``columns`` are ``attributes.NAME``, ``params.KEY``, ``tags.KEY``, ``metrics.KEY``, and of a metric
    ``min(…)``, ``max(…)``, ``first(…)``, ``last(…)``, ``best_step(…, min)``, ``best_step(…, max)``, or the mean of its
    last points, ``mean(…, 10)``; the key stands as it is, without quotes. ``filter`` and ``order_by`` are in the
    language of searches; parameters that are numbers are ordered as numbers, and come before texts. NaN and what is
    missing come last.

    ``tree`` puts runs under their parent: those of the parents that ``expanded`` names, of all with ``["*"]``.
    ``group_by`` makes a row of all runs that agree in the columns it names; then ``columns`` may be those, and
    ``mean(…)``, ``min(…)``, ``max(…)`` of metrics and parameters over the runs. ``run_ids`` reads those runs alone.
    With ``pinned_first`` the runs that are pinned in their experiment stand before all others, in the same order.
    ``attributes.progress`` of a running run is the greatest step of its metrics divided by its tag or parameter
    ``total_steps``, at most 1.
    """

    experiment_ids: list[str]
    filter: str | None = None
    order_by: list[str] = []
    view_type: str = "ACTIVE_ONLY"
    columns: list[str] = []
    offset: Int64 = 0
    limit: Int64 = 200
    snapshot: str | None = None
    tree: bool = False
    expanded: list[str] = []
    group_by: list[str] = []
    run_ids: list[str] = []
    pinned_first: bool = False


@operation("POST GET", "/v1/runs/columns", _SEARCH, answer=RunColumns, writes=False)
class ListColumns(Operation[RunColumns], frozen=True):
    """List the keys of metrics, parameters and tags that the runs of some experiments have.

    ``kinds`` limits the answer to metric, param or tag; ``match`` to keys in which this RE2 expression is found.
    """

    experiment_ids: list[str]
    kinds: list[str] = []
    match: str | None = None
    limit: Int64 = 50_000


@operation("POST GET", "/v1/runs/distribution", _SEARCH, answer=Distribution, writes=False)
class QueryDistribution(Operation[Distribution], frozen=True):
    """Read how the values of one column are spread over the runs that a filter selects.

    ``column`` is written as in tables of runs. Numbers are counted in ``bars`` bars, 1 to 200; of texts the most
    frequent are told, as many.
    """

    experiment_ids: list[str]
    column: str
    filter: str | None = None
    view_type: str = "ACTIVE_ONLY"
    bars: Int64 = 24


@operation(
    "POST", "/v1/runs/change", Needs(Permission.EDIT, Resource.EXPERIMENT, "experiment_ids"), answer=ChangedRuns
)
class ChangeRuns(Operation[ChangedRuns], frozen=True):
    """Set a tag of many runs, or move them to the trash or out of it: as many of them as ``limit`` says at a time.

    ``action`` is ``tag`` (with ``key`` and ``value``), ``delete`` or ``restore``. The runs are those of the experiments
    that ``filter`` selects, but for ``except_run_ids``; or ``run_ids`` alone. ``snapshot``, of a table of runs, leaves
    alone what came after that table. Send the same with ``page_token`` for those that are left.
    """

    experiment_ids: list[str]
    action: str
    filter: str | None = None
    run_ids: list[str] = []
    except_run_ids: list[str] = []
    snapshot: str | None = None
    key: str = ""
    value: str = ""
    limit: Int64 = 1000
    page_token: str | None = None


@operation("POST", "/v1/runs/curves", Needs(Permission.READ, Resource.RUN, "run_ids"), answer=Curves, writes=False)
class QueryCurves(Operation[Curves], frozen=True):
    """Read metrics of up to 1,000 runs for a chart ``pixels`` wide: the min, max and last of each bucket.

    ``axis`` is ``step``, ``time`` (milliseconds since the epoch) or ``relative`` (milliseconds since the run began);
    ``x0`` and ``x1`` are in its unit, both included. Runs without the metric are left out. A request that accepts
    ``application/octet-stream`` is answered in the binary form that the documentation of the API describes.
    """

    run_ids: list[str]
    metrics: list[str]
    axis: str = "step"
    x0: float | None = None
    x1: float | None = None
    pixels: Int64 = 900
