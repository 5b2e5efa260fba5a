"""Metrics that users give: how they are described, called, and what their answers become."""

from __future__ import annotations

import inspect
import logging
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from millstream.errors import FunctionFailed, InvalidValue

if TYPE_CHECKING:
    import pandas

logger = logging.getLogger("millstream")


@dataclass
class MetricValue:
    """What a metric function may return: ``scores`` by row, texts that justify them, and numbers over all rows.

    Scores that are numbers and come without ``aggregate_results`` get mean, variance and 90th percentile.
    """

    scores: Sequence[Any] | None = None
    justifications: Sequence[str] | None = None
    aggregate_results: dict[str, float] | None = None

    def __post_init__(self) -> None:
        if self.aggregate_results is None and self.scores and all(
            isinstance(score, numbers.Real) for score in self.scores
        ):
            import numpy

            self.aggregate_results = {
                "mean": float(numpy.mean(self.scores)),
                "variance": float(numpy.var(self.scores)),
                "p90": float(numpy.percentile(self.scores, 90)),
            }


class EvaluationMetric:
    """A metric with the function that computes it; :func:`make_metric` makes one."""

    def __init__(
        self, eval_fn: Callable[..., Any], name: str, greater_is_better: bool, long_name: str | None = None,
        version: str | None = None, metric_details: str | None = None, metric_metadata: dict[str, Any] | None = None,
        genai_metric_args: dict[str, Any] | None = None,
    ) -> None:
        self.eval_fn = eval_fn
        self.name = name
        self.greater_is_better = greater_is_better
        self.long_name = long_name or name
        self.version = version
        self.metric_details = metric_details
        self.metric_metadata = metric_metadata
        self.genai_metric_args = genai_metric_args

    @property
    def key(self) -> str:
        """The name that its value is logged under."""
        return f"{self.name}/{self.version}" if self.version else self.name

    def __repr__(self) -> str:
        return f"EvaluationMetric(name={self.name!r}, greater_is_better={self.greater_is_better})"


def make_metric(
    *, eval_fn: Callable[..., Any], greater_is_better: bool, name: str | None = None, long_name: str | None = None,
    version: str | None = None, metric_details: str | None = None, metric_metadata: dict[str, Any] | None = None,
    genai_metric_args: dict[str, Any] | None = None,
) -> EvaluationMetric:
    """A metric for ``extra_metrics``, named like its function unless ``name`` is given.

    ``eval_fn`` takes ``(eval_df, builtin_metrics)``: a frame with the columns ``prediction`` and ``target``, and the
    numbers measured so far by name. Or it names what it needs: ``predictions`` and ``targets`` (Series), ``metrics``
    (a dict of :class:`MetricValue`), columns of the data, and other metrics. It returns a number or a MetricValue.

    Raises InvalidValue for a lambda without a name.
    """
    if not callable(eval_fn):
        raise InvalidValue(f"eval_fn is a function, not {type(eval_fn).__name__}")
    if name is None:
        name = getattr(eval_fn, "__name__", "<lambda>")
        if name == "<lambda>":
            raise InvalidValue("a metric of a lambda has no name of its own", hint="make_metric(name=…)")
    return EvaluationMetric(
        eval_fn, name, greater_is_better, long_name, version, metric_details, metric_metadata, genai_metric_args
    )


@dataclass
class Measured:
    """What the metrics of users are computed from.

    ``eval_frame`` has the columns ``prediction`` and (with labels) ``target``. ``columns`` are those of the data and
    of the model's output by name. ``numbers`` are the metrics measured so far, ``values`` the answers by metric.
    """

    eval_frame: pandas.DataFrame
    columns: dict[Any, pandas.Series]
    mapping: Mapping[str, Any]
    numbers: dict[str, Any]
    values: dict[str, MetricValue]

    def named(self, name: str) -> tuple[bool, Any]:
        """Whether there is something of this name for a metric function, and what."""
        if name == "predictions":
            return True, self.eval_frame["prediction"].copy()
        if name == "targets" and "target" in self.eval_frame:
            return True, self.eval_frame["target"].copy()
        if name == "metrics":
            return True, dict(self.values)
        given = self.mapping.get(name, name)
        if not isinstance(given, str):
            return True, given
        if given in self.columns:
            return True, self.columns[given].copy()
        if given in self.values:
            return True, self.values[given]
        return False, None


def check_metrics(extra_metrics: Any) -> list[EvaluationMetric]:
    """The metrics as a list. Raises InvalidValue, naming what is none."""
    if extra_metrics is None:
        return []
    given = list(extra_metrics) if isinstance(extra_metrics, (list, tuple)) else [extra_metrics]
    for position, one in enumerate(given):
        if not isinstance(one, EvaluationMetric):
            raise InvalidValue(
                f"extra_metrics[{position}] is {type(one).__name__}, expected a metric",
                hint="make_metric(eval_fn=…, greater_is_better=…) makes one of a function",
            )
    return given


def compute(extra: Sequence[EvaluationMetric], measured: Measured) -> None:
    """Call each metric once, those that need others after them, and enter the answers in ``measured``.

    Raises FunctionFailed for a function that raises, InvalidValue for one that asks for what is not there.
    """
    waiting = list(extra)
    names = {one.name for one in extra}
    while waiting:
        late: list[EvaluationMetric] = []
        for one in waiting:
            arguments = _arguments(one, measured, names)
            if arguments is None:
                late.append(one)
                continue
            _enter(one, _call(one, arguments), measured)
        if len(late) == len(waiting):
            raise _missing(late[0], measured)
        waiting = late


def _arguments(metric: EvaluationMetric, measured: Measured, names: set[str]) -> list[Any] | dict[str, Any] | None:
    """What the metric is called with: a list by position, a dict by name, None when something is not there (yet)."""
    parameters = list(inspect.signature(metric.eval_fn).parameters.values())
    plain = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    found = {one.name: measured.named(one.name) for one in plain}
    needed = [one.name for one in plain if one.default is one.empty]
    known = names - {metric.name}
    by_position = len(needed) == len(plain) == 2 and not all(found[name][0] or name in known for name in needed)
    if by_position or (not plain and any(one.kind is one.VAR_POSITIONAL for one in parameters)):
        return [measured.eval_frame.copy(), dict(measured.numbers)]
    if not all(found[name][0] for name in needed):
        return None
    return {name: value for name, (there, value) in found.items() if there}


def _call(metric: EvaluationMetric, arguments: list[Any] | dict[str, Any]) -> Any:
    try:
        return metric.eval_fn(*arguments) if isinstance(arguments, list) else metric.eval_fn(**arguments)
    except Exception as error:
        raise FunctionFailed(f"the metric {metric.name!r} failed: {type(error).__name__}: {error}") from error


def _enter(metric: EvaluationMetric, answer: Any, measured: Measured) -> None:
    import numpy

    if isinstance(answer, numpy.generic):
        answer = answer.item()
    if isinstance(answer, (int, float)) and not isinstance(answer, bool):
        answer = MetricValue(aggregate_results={metric.name: answer})
    if not _is_value(answer):
        logger.warning(
            "the metric %r is not logged: it returned %s, expected a number or a MetricValue",
            metric.name, type(answer).__name__,
        )
        return
    rows = len(measured.eval_frame)
    for what in (answer.scores, answer.justifications):
        if what is not None and len(what) != rows:
            raise InvalidValue(f"the metric {metric.name!r} gave {len(what)} scores or justifications for {rows} rows")
    measured.values[metric.name] = answer
    for name, number in (answer.aggregate_results or {}).items():
        measured.numbers[metric.key if name == metric.name else f"{metric.key}/{name}"] = number


def _is_value(answer: Any) -> bool:
    # A MetricValue of MLflow's own will do where both are installed.
    return all(hasattr(answer, name) for name in ("scores", "justifications", "aggregate_results"))


def _missing(metric: EvaluationMetric, measured: Measured) -> InvalidValue:
    needed = [
        name for name, one in inspect.signature(metric.eval_fn).parameters.items()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        and not measured.named(name)[0]
    ]
    return InvalidValue(
        f"the metric {metric.name!r} asks for {', '.join(map(repr, needed))}, which is neither a column nor a metric; "
        f"there are the columns {', '.join(map(repr, measured.columns))}",
        hint=f"give it a default, or say what it is: evaluator_config={{'col_mapping': {{{needed[0]!r}: 'a column'}}}}",
    )
