"""Properties of the language that hold for any filter and any text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.errors import SearchSyntaxError
from millstream.search.parser import parse_filter, parse_order
from millstream.search.text import order_text, to_text
from millstream.search.tree import And, Comparison, Expression, Field, Not, Or, Order
from millstream.search.vocabulary import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    Vocabulary,
)
from tests.unit.search.trees import FUNCTIONS, fields, leaves, trees

VOCABULARIES = (RUNS, EXPERIMENTS, LOGGED_MODELS, REGISTERED_MODELS, MODEL_VERSIONS)

storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
anything = st.one_of(
    st.text(max_size=60),
    # Pieces of the language in any order: what nearly is a filter.
    st.lists(
        st.sampled_from(
            (
                "metrics",
                "params",
                "tags",
                "status",
                ".",
                "a",
                " ",
                "=",
                "!=",
                ">",
                "<",
                "LIKE",
                "IN",
                "NOT",
                "AND",
                "OR",
                "IS",
                "NULL",
                "BETWEEN",
                "MATCHES",
                "(",
                ")",
                ",",
                "'",
                '"',
                "`",
                "''",
                "\\",
                "1",
                "-1",
                "1e5",
                ".5",
                "min",
                "best_step",
                "metrics.a",
                "params.a",
                "'x'",
                "E'",
                "\n",
                "DESC",
                "é",
                "-",
                "/",
                ";",
                "dataset.name",
                "(?=",
            )
        ),
        max_size=25,
    ).map("".join),
    st.lists(
        st.sampled_from(
            (
                "metrics.a",
                "params.a",
                "run_id",
                "=",
                ">",
                "'x'",
                "1",
                "AND",
                "OR",
                "NOT",
                "(",
                ")",
                "IN",
                "IS",
                "NULL",
                "LIKE",
                ",",
                "BETWEEN",
                "max(metrics.a)",
                "MATCHES",
                "ASC",
            )
        ),
        max_size=20,
    ).map(" ".join),
)


@settings(max_examples=150)
@given(st.data(), st.sampled_from(VOCABULARIES))
def test_a_tree_survives_its_text(data: st.DataObject, vocabulary: Vocabulary) -> None:
    odd = st.sampled_from(("it's", 'a"b', "a'b\"c", "back\\", "\\'\"", "``", "a`b", "'", '"', "''")) | storable
    keys = tuple(data.draw(st.lists(odd, min_size=1, max_size=3)))
    leaf = leaves(vocabulary, text=odd, field=fields(vocabulary, keys))
    tree = data.draw(trees(leaf))
    assert parse_filter(to_text(tree), vocabulary) == tree


@given(st.data(), storable, st.booleans())
def test_an_order_survives_its_text(data: st.DataObject, key: str, ascending: bool) -> None:
    field = data.draw(
        st.one_of(
            st.builds(Field, st.just("metric"), st.just(key), st.sampled_from(FUNCTIONS)),
            st.builds(Field, st.sampled_from(("param", "tag")), st.just(key)),
            st.builds(Field, st.just("attribute"), st.sampled_from(sorted(RUNS.types))),
        )
    )
    order = Order(field, ascending)
    assert parse_order([order_text(order)], RUNS) == [order]


@settings(max_examples=1000)
@given(anything, st.sampled_from(VOCABULARIES))
def test_any_text_is_a_filter_or_a_syntax_error(text: str, vocabulary: Vocabulary) -> None:
    try:
        tree = parse_filter(text, vocabulary)
    except SearchSyntaxError as error:
        assert 0 <= error.position <= len(text)
        assert str(error)
    else:
        assert (tree is None) == (text == "")
        if tree is not None:
            assert parse_filter(to_text(tree), vocabulary) == tree


@settings(max_examples=500)
@given(anything)
def test_any_text_is_an_order_or_a_syntax_error(text: str) -> None:
    try:
        (order,) = parse_order([text], RUNS)
    except SearchSyntaxError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse_order([order_text(order)], RUNS) == [order]


PATHOLOGICAL: dict[str, Callable[[int], str]] = {
    "digits": lambda size: "metrics.a > " + "1" * size + "x",
    "digits and exponents": lambda size: "metrics.a > " + "1" * (size // 2) + "e" + "1" * (size // 2) + "x",
    "open quote": lambda size: "params.a = '" + "x" * size,
    "escaped quotes": lambda size: "params.a = '" + "\\'" * (size // 2),
    "doubled quotes": lambda size: "params.a = '" + "''" * (size // 2),
    "open escape text": lambda size: "params.a = E'" + "\\'" * (size // 2),
    "many open escape texts": lambda size: "E'\\" * (size // 3),
    "backticks": lambda size: "`" * size + "x",
    "parentheses": lambda size: "(" * size,
    "spaces": lambda size: "params.a" + " " * size,
    "words": lambda size: "a " * (size // 2),
    "dots": lambda size: "metrics" + "." * size,
    "operators": lambda size: "metrics.a " + "=" * size,
    "clauses": lambda size: " OR ".join(["params.a = 'x'"] * (size // 18)),
    "side by side": lambda size: "params.a='x'" * (size // 12),
    "list": lambda size: "metrics.a IN (" + "1," * (size // 2),
    "minus signs": lambda size: "metrics.a > " + "-" * size,
    "not": lambda size: "NOT " * (size // 4),
    "commas": lambda size: "run_id IN (" + "," * size,
    "key": lambda size: "metrics." + "a-" * (size // 2),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shape", PATHOLOGICAL)
def test_pathological_text_costs_linear_time(shape: str) -> None:
    """Each takes milliseconds; anything quadratic would run into the suite's guard against hanging tests."""
    text = PATHOLOGICAL[shape](99_900)
    try:
        parse_filter(text, RUNS)
    except SearchSyntaxError as error:
        assert error.position <= len(text)


def test_a_wide_filter_nests_as_deep_as_it_may() -> None:
    leaf = Comparison(Field("param", "a"), "=", "x")
    tree: Expression = leaf
    for level in range(50):
        tree = And((leaf, tree)) if level % 2 else Or((Not(tree), leaf))
    assert parse_filter(to_text(tree), RUNS) == tree
