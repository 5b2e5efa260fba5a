"""Random trees and records, for the property tests of the search language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from millstream.search.evaluate import History, Record
from millstream.search.tree import And, Between, Comparison, Expression, Field, In, Matches, Not, Null, Or, Test
from millstream.search.vocabulary import RUNS, Vocabulary

# Few keys and values, so that random tests and random records meet; some that have to be quoted or escaped.
KEYS = ("a", "b.c", "val/loss", "x y")
TEXTS = ("", "a", "A", "ab", "aB", "a%", "a_b", "it's", 'say "x"', "b\nc", "é", "É", "10", "x" * 130, "x" * 129 + "y")
NUMBERS = (-1e300, -2.5, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 1e-320, 1e300, float("inf"), float("-inf"))
TIMES = (-5, 0, 1, 2, 3, 1_700_000_000_000, 2**53 + 1, 2**63 - 1)
PATTERNS = (
    "a",
    "^a",
    "b$",
    "^$",
    "[^a]",
    "a.b",
    "(a|b)+",
    "a{2,3}",
    r"\d+",
    r"\w\W",
    r"[\w%]b",
    "(?i)AB",
    r"\ba",
    "x{100}",
    "",
    r"[[:alpha:]]b",
    r"\x61",
    "(?s)b.c",
    "b.c",
    "b[^x]c",
    r"\Qa%\E",
    "é",
    "a|^$",
    "(?P<n>a)(?:b)",
    "a*?b",
    "it's",
    "[]a]",
)
STATUSES = ("RUNNING", "FINISHED", "FAILED", "x")
FUNCTIONS = (None, "min", "max", "first", "last", "best_step_max", "best_step_min")


def texts(alphabet: tuple[str, ...] = TEXTS) -> st.SearchStrategy[str]:
    return st.sampled_from(alphabet)


def numbers() -> st.SearchStrategy[float]:
    return st.sampled_from(NUMBERS) | st.floats(allow_nan=False)


def times() -> st.SearchStrategy[float]:
    return st.sampled_from([*TIMES, 0.5, 1e300, float("inf")]) | st.integers(-(2**63), 2**63 - 1)


def fields(
    vocabulary: Vocabulary, keys: tuple[str, ...] = KEYS, functions: tuple[Any, ...] = FUNCTIONS
) -> st.SearchStrategy[Field]:
    kinds = sorted(set(vocabulary.prefixes.values()))
    of_kind: dict[str, st.SearchStrategy[Field]] = {
        "metric": st.builds(Field, st.just("metric"), st.sampled_from(keys), st.sampled_from(functions)),
        "param": st.builds(Field, st.just("param"), st.sampled_from(keys)),
        "tag": st.builds(Field, st.just("tag"), st.sampled_from(keys)),
        "attribute": st.builds(Field, st.just("attribute"), st.sampled_from(sorted(vocabulary.types))),
        "dataset": st.builds(Field, st.just("dataset"), st.sampled_from(("name", "digest", "context"))),
    }
    return st.one_of([of_kind[kind] for kind in kinds])


@st.composite
def leaves(
    draw: Callable[..., Any],
    vocabulary: Vocabulary = RUNS,
    text: st.SearchStrategy[str] | None = None,
    field: st.SearchStrategy[Field] | None = None,
    patterns: tuple[str, ...] = PATTERNS,
) -> Test:
    """One test that the vocabulary allows."""
    on: Field = draw(field if field is not None else fields(vocabulary))
    negated = draw(st.booleans())
    value: st.SearchStrategy[Any]
    if on.kind == "metric":
        steps = on.function in ("best_step_max", "best_step_min")
        type_, value = "number", times() if steps else numbers()
    elif on.kind == "attribute" and vocabulary.types[on.key] == "number":
        type_, value = "number", times()
    else:
        type_ = vocabulary.types[on.key] if on.kind == "attribute" else "text"
        value = text if text is not None else texts()
        if on.key == "status":
            value = st.sampled_from(STATUSES)
    form = draw(st.sampled_from(("compare", "compare", "in", "null", "between", "like", "matches")))
    if form == "null":
        return Null(on, negated)
    if form == "in":
        return In(on, tuple(draw(st.lists(value, min_size=1, max_size=3))), negated)
    if type_ == "identity" or form == "compare":
        operators = ("=", "!=", "<", "<=", ">", ">=") if type_ == "number" else ("=", "!=")
        return Comparison(on, draw(st.sampled_from(operators)), draw(value))
    if form == "between" or type_ == "number":
        return Between(on, draw(value), draw(value), negated)
    if form == "matches":
        return Matches(on, draw(st.sampled_from(patterns)), negated)
    pattern = draw(value | st.sampled_from(("%", "_", "a%", "%b", "%A%", "a_b", "É%", "%\n%", "x%y")))
    return Comparison(on, draw(st.sampled_from(("LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"))), pattern)


def trees(leaf: st.SearchStrategy[Test], most: int = 12) -> st.SearchStrategy[Expression]:
    """Any nesting of AND, OR and NOT over tests."""

    def joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, inner) | st.builds(And, several) | st.builds(Or, several)

    return st.recursive(leaf, joined, max_leaves=most)


def histories() -> st.SearchStrategy[list[tuple[float, int, int]]]:
    """Points (value, timestamp, step) of one metric, NaN among them."""
    value = st.sampled_from([*NUMBERS, float("nan")])
    return st.lists(st.tuples(value, st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=3)


def records(keys: tuple[str, ...] = KEYS, text: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Record]:
    """Runs with some of everything."""
    value = text if text is not None else texts()
    time = st.sampled_from(TIMES)
    attributes = st.fixed_dictionaries(
        {"run_id": value, "status": st.sampled_from(STATUSES[:3]), "artifact_uri": value},
        optional={"run_name": value, "user_id": value, "start_time": time, "end_time": time},
    )
    used = st.fixed_dictionaries({"name": value, "digest": value, "context": value | st.none()})
    return st.builds(
        Record,
        attributes,
        st.dictionaries(st.sampled_from(keys), histories().map(History.of), max_size=3),
        st.dictionaries(st.sampled_from(keys), value, max_size=3),
        st.dictionaries(st.sampled_from(keys), value, max_size=3),
        st.lists(used, max_size=2),
    )
