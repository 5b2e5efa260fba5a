"""One comparison of current data with a reference: every statistic of every column, each with its limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.entities.monitoring import DRIFT, OF_ROWS, Finding, MonitorSettings, Threshold
from millstream.errors import InvalidValue
from millstream.models.profile import ColumnProfile, Profile, columns_of, profile
from millstream.serving.monitoring.outliers import compare_outliers
from millstream.serving.monitoring.statistics import MATTERS, Compared, compare_column

if TYPE_CHECKING:
    import pandas


class Report(msgspec.Struct, frozen=True):
    """What a comparison has found: ``rows`` current rows against ``reference_rows``."""

    rows: int
    reference_rows: int
    findings: list[Finding]

    @property
    def exceeded(self) -> list[Finding]:
        """What is beyond its limit."""
        return [finding for finding in self.findings if finding.state == "exceeded"]

    @property
    def drifted(self) -> list[str]:
        """The columns of which something is beyond its limit."""
        return list(dict.fromkeys(finding.column for finding in self.exceeded if finding.column))

    def value(self, statistic: str, column: str = "") -> float:
        """One value. Raises InvalidValue for a statistic that the column has not."""
        for finding in self.findings:
            if (finding.statistic, finding.column) == (statistic, column):
                return finding.value
        raise InvalidValue(f"the report has no {statistic} of the column {column!r}",
                           hint="to_frame() shows all that it has")

    def to_frame(self) -> pandas.DataFrame:
        """A DataFrame with a row a finding: column, statistic, value, limit, p_value, state."""
        import pandas

        names = ["column", "statistic", "value", "limit", "p_value", "state"]
        rows = [[getattr(finding, name) for name in names] for finding in self.findings]
        return pandas.DataFrame(rows, columns=names)

    def __str__(self) -> str:
        head = f"{self.rows} rows against {self.reference_rows}: "
        if not self.exceeded:
            return head + "nothing is beyond its limit"
        lines = [f"  {one.column or '(rows)'}: {one.statistic} {one.value:.3g}, limit {one.limit:.3g}"
                 for one in self.exceeded]
        return "\n".join([f"{head}{len(lines)} of {len(self.findings)} statistics are beyond their limits", *lines])


def findings(
    reference: Profile, columns: Mapping[str, Any], predictions: Mapping[str, Any], settings: MonitorSettings
) -> list[Finding]:
    """What current columns, and current predictions, show against the reference, as a monitor is set.

    Columns that the reference does not have are passed over; those that are not there now are all missing. Where no
    name is the same and there are as many, as of a model that was trained on an array, they go by their order.
    """
    columns, predictions = _named(reference.columns, columns), _named(reference.predictions, predictions)
    length = max((len(values) for values in columns.values()), default=0)
    compared: list[Compared] = []
    for known in reference.columns if length else ():
        if known.name not in settings.ignored_columns:
            compared += compare_column(known, columns.get(known.name, [None] * length))
    for known in reference.predictions:
        values = predictions.get(known.name)
        if values is not None and known.name not in settings.ignored_columns:
            compared += compare_column(known, values)
    kept = {name: values for name, values in columns.items() if name not in settings.ignored_columns}
    compared += compare_outliers(reference, kept)
    wanted = set(settings.statistics or (*DRIFT, *OF_ROWS))
    compared = [one for one in compared if one.statistic in wanted]
    alpha = settings.false_alarm_rate / max(1, len(compared))
    return [one.found(matters(settings.thresholds, one), alpha) for one in compared]


def _named(known: Sequence[ColumnProfile], columns: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [one.name for one in known]
    if len(names) != len(columns) or columns.keys() & set(names):
        return columns
    return dict(zip(names, columns.values(), strict=True))


def matters(thresholds: Sequence[Threshold], compared: Compared) -> float:
    """From where on a value matters: the threshold of its column, of all columns, or the usual one."""
    for column in (compared.column, ""):
        for one in thresholds:
            if (one.statistic, one.column) == (compared.statistic, column):
                return one.limit
    return MATTERS[compared.statistic]


def compare(
    reference: Any, current: Any, *, predictions: Any = None, thresholds: Mapping[str, float] | None = None,
    statistics: Iterable[str] | None = None, ignored_columns: Iterable[str] = (),
    false_alarm_rate: float = MonitorSettings().false_alarm_rate,
) -> Report:
    """Hold current data against a reference, and report what has moved.

    ``reference`` is a :class:`Profile`, or data to make one of; ``current`` is data: a DataFrame, an array, a dict of
    columns, rows. ``predictions`` are the current predictions, where the profile has some to compare with.
    ``thresholds`` maps statistics to what matters (``{"psi": 0.25}``). A comparison of unchanged data exceeds a limit
    with the probability ``false_alarm_rate`` at most. Raises InvalidValue.
    """
    known = reference if isinstance(reference, Profile) else profile(reference)
    if not 0 < false_alarm_rate < 1:
        raise InvalidValue.of("false_alarm_rate", false_alarm_rate, "it must lie between 0 and 1")
    for name in (*(thresholds or ()), *(statistics or ())):
        if name not in MATTERS:
            raise InvalidValue.of("statistic", name, "there is none of this name",
                                  hint=f"there are {', '.join(MATTERS)}")
    settings = MonitorSettings(
        false_alarm_rate=false_alarm_rate, statistics=list(statistics or ()), ignored_columns=list(ignored_columns),
        thresholds=[Threshold(name, limit) for name, limit in (thresholds or {}).items()],
    )
    columns, rows = columns_of(current)
    answers = {} if predictions is None else columns_of(predictions, prediction=True)[0]
    return Report(rows, known.profiled, findings(known, columns, answers, settings))
