"""The meaning of filters in memory."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.search.evaluate import History, Record, matches
from millstream.search.parser import parse_filter
from millstream.search.patterns import like, matcher
from millstream.search.tree import And, Between, Comparison, Expression, In, Matches, Not, Null, Or
from millstream.search.vocabulary import LOGGED_MODELS, RUNS
from tests.unit.search.trees import PATTERNS, histories, leaves, records, trees

RECORD = Record(
    attributes={"run_id": "r1", "status": "FINISHED", "start_time": 10, "end_time": None},
    metrics={
        "loss": History.of([(3.0, 0, 0), (1.0, 1, 1), (2.0, 2, 2), (1.0, 3, 3)]),
        "nan": math.nan,
        "half": History.of([(math.nan, 0, 0), (4.0, 0, 1)]),
        "inf": math.inf,
        "one": 1,
    },
    params={"x": "a", "quoted": "it's", "percent": "100%", "lines": "a\nb"},
    tags={"empty": ""},
    datasets=[{"name": "a", "digest": "1", "context": "train"}, {"name": "b", "digest": "2", "context": None}],
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.loss = 1", True),
        ("last(metrics.loss) = 1", True),
        ("first(metrics.loss) = 3", True),
        ("max(metrics.loss) = 3", True),
        ("min(metrics.loss) = 1", True),
        ("best_step(metrics.loss) = 0", True),
        ("best_step(metrics.loss, min) = 1", True),
        ("metrics.one BETWEEN 1 AND 1", True),
        ("metrics.one NOT BETWEEN 1 AND 1", False),
        ("metrics.one IN (2, 1)", True),
        # NaN compares to nothing, and is there
        ("metrics.nan = 0", False),
        ("metrics.nan != 0", False),
        ("NOT metrics.nan = 0", False),
        ("metrics.nan IS NULL", False),
        ("first(metrics.half) = 4", False),
        ("min(metrics.half) = 4", True),
        ("best_step(metrics.half) = 1", True),
        ("max(metrics.nan) IS NULL", False),
        ("best_step(metrics.nan) >= 0", False),
        ("metrics.inf > 1e308", True),
        ("metrics.inf = 1e999", True),
        # what is missing is neither equal nor unequal
        ("metrics.none != 1", False),
        ("NOT metrics.none = 1", False),
        ("metrics.none IS NULL", True),
        ("params.none != 'a'", False),
        ("NOT (params.none = 'a')", False),
        ("params.none NOT IN ('a')", False),
        ("NOT (params.none = 'a' OR params.x = 'b')", False),
        ("params.none = 'a' OR params.x = 'a'", True),
        ("NOT (params.none = 'a' AND params.x = 'b')", True),
        ("NOT params.none IS NULL", False),
        ("end_time > 0", False),
        ("NOT end_time > 0", False),
        ("end_time IS NULL", True),
        ("start_time IS NOT NULL", True),
        # text
        ("params.x != 'b'", True),
        ("NOT params.x = 'b'", True),
        ("tags.empty = ''", True),
        ("tags.empty LIKE ''", True),
        ("params.x LIKE 'A'", False),
        ("params.x ILIKE 'A'", True),
        ("params.lines LIKE 'a_b'", True),
        ("params.lines LIKE 'a%'", True),
        ("params.percent LIKE '100%'", True),
        (r"params.percent LIKE '100\%'", False),
        ("params.x NOT LIKE 'b%'", True),
        ("status LIKE 'FIN%'", True),
        ("status BETWEEN 'F' AND 'G'", True),
        ("params.lines MATCHES '^b'", False),
        ("params.lines MATCHES '(?m)^b'", True),
        ("params.x NOT MATCHES 'a'", False),
        # a run has several datasets, and each test may meet another of them
        ("dataset.name = 'a' AND dataset.digest = '2'", True),
        ("dataset.name != 'a'", True),
        ("NOT dataset.name = 'a'", False),
        ("NOT dataset.name = 'c'", True),
        ("dataset.name NOT IN ('a', 'b')", False),
        ("dataset.context != 'train'", False),
        ("dataset.context IS NULL", False),
        ("dataset.context IS NOT NULL", True),
    ],
)
def test_meaning(text: str, expected: bool) -> None:
    assert matches(parse_filter(text, RUNS), RECORD) is expected


def test_no_filter_selects_everything() -> None:
    assert matches(None, Record())


def test_datasets_may_be_absent() -> None:
    assert matches(parse_filter("dataset.name IS NULL AND NOT dataset.context IS NOT NULL", RUNS), Record())
    assert not matches(parse_filter("NOT dataset.name = 'a'", RUNS), Record())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.a > 4 AND metrics.a < 2", True),
        ("metrics.a = 3", False),
        ("max(metrics.a) = 5", True),
        ("max(metrics.a) < 5", False),
        ("min(metrics.a) = 1", True),
        ("NOT metrics.a > 4", False),
        ("NOT metrics.a > 5", True),
        ("best_step(metrics.a) = 7", True),
        ("metrics.a IS NULL", False),
        ("metrics.b IS NULL", True),
    ],
)
def test_several_points_of_a_logged_models_metric(text: str, expected: bool) -> None:
    record = Record(metrics={"a": [(1.0, 0, 0), (5.0, 0, 7), (math.nan, 0, 0)]})
    assert matches(parse_filter(text, LOGGED_MODELS), record) is expected


def _three_valued(node: Expression, record: Record) -> bool | None:
    """The textbook's three-valued logic, to compare with."""
    if isinstance(node, Not):
        inner = _three_valued(node.operand, record)
        return None if inner is None else not inner
    if isinstance(node, (And, Or)):
        absorbing = isinstance(node, Or)
        values = [_three_valued(operand, record) for operand in node.operands]
        return absorbing if absorbing in values else None if None in values else not absorbing
    values_of: list[Any] = record.values(node.field)
    if isinstance(node, Null):
        return bool(values_of) if node.negated else not values_of
    known = [value for value in values_of if value is not None]
    return any(_passes(node, value) for value in known) if known else None


def _passes(node: Any, value: Any) -> bool:
    if isinstance(node, Comparison):
        if "LIKE" not in node.op:
            return (
                {"=": value == node.value, "!=": value != node.value}.get(node.op)
                if node.op in ("=", "!=")
                else {  # type: ignore[return-value]
                    "<": lambda: value < node.value,
                    "<=": lambda: value <= node.value,
                    ">": lambda: value > node.value,
                    ">=": lambda: value >= node.value,
                }[node.op]()
            )
        pattern = re.escape(str(node.value)).replace("%", ".*").replace("_", ".")
        flags = re.DOTALL | (re.IGNORECASE if "ILIKE" in node.op else 0)
        return (re.fullmatch(pattern, value, flags) is not None) is not node.op.startswith("NOT")
    if isinstance(node, Matches):
        return matcher(node.pattern)(value) is not node.negated
    if isinstance(node, In):
        return (value in node.values) is not node.negated
    assert isinstance(node, Between)
    return (node.low <= value <= node.high) is not node.negated


@settings(max_examples=150)
@given(trees(leaves()), records())
def test_the_evaluator_agrees_with_three_valued_logic(tree: Expression, record: Record) -> None:
    assert matches(tree, record) is (_three_valued(tree, record) is True)


@given(histories())
def test_what_a_history_amounts_to(points: list[tuple[float, int, int]]) -> None:
    history = History.of(points)
    assert History.of(points[::-1]) == history
    known = [(value, step) for value, _, step in points if not math.isnan(value)]
    assert history.min == min((value for value, _ in known), default=None)
    assert history.max == max((value for value, _ in known), default=None)
    if known:
        assert (history.max, history.best_step_max) in known
        assert not any(value == history.max and step < (history.best_step_max or 0) for value, step in known)
    final = max(step for _, _, step in points)
    assert history.last in [None if math.isnan(value) else value for value, _, step in points if step == final]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_of_the_random_tests_is_one(pattern: str) -> None:
    assert isinstance(matcher(pattern)("abc"), bool)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
def test_a_text_is_like_itself(text: str) -> None:
    assert like(text, False)(text)
    assert like(text, True)(text)
    assert like("%", False)(text)
    assert like("_" * len(text), False)(text)
