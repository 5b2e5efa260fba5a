"""Regular expressions mean on PostgreSQL what they mean in RE2."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.errors import SearchSyntaxError
from millstream.search.patterns import matcher, refusal
from millstream.search.postgres_regex import postgres_pattern

TEXTS = (
    "",
    "a",
    "b",
    "ab",
    "aab",
    "A",
    "a\nb",
    "a b",
    "\n",
    "a_1",
    "x-9",
    "[a]",
    "a.b",
    "é",
    "É",
    "a\\b",
    "{2}",
    "\t",
    "}^$",
)
ATOMS = (
    "a",
    "b",
    "é",
    ".",
    "^",
    "$",
    "|",
    "(a)",
    "(?:b)",
    "(?P<n>a)",
    "(?<n>b)",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[]a]",
    "[^]a]",
    r"[\]\-\\]",
    r"[\d_]",
    r"[\w.]",
    r"[^\s]",
    "[[:alpha:]]",
    "[^[:space:]]",
    "[[:punct:]x]",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\b",
    r"\B",
    r"\A",
    r"\z",
    r"\.",
    r"\\",
    r"\n",
    r"\t",
    r"\x61",
    r"\x{e9}",
    r"\141",
    r"\Qa.b\E",
    "{",
    "}",
    "]",
    "-",
    "_",
    "(a|b)",
    "(|a)",
    "(?s:.)",
    "(?m:^b$)",
    "(?-s:.)",
    "(?m)",
    "(?s)",
    "(?U)",
    "[a-]",
    "[[]",
    "(?i)",
)
REPEATS = ("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,2}?")
PIECES = st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)).map("".join)


@pytest.fixture(scope="module")
def connection(postgres_uri: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_uri, autocommit=True) as opened:
        yield opened


def finds(connection: psycopg.Connection, pattern: str) -> list[bool]:
    found = connection.execute(
        'SELECT text COLLATE "default" ~ %s FROM unnest(%s::text[]) WITH ORDINALITY AS t (text, n) ORDER BY n',
        (postgres_pattern(pattern), list(TEXTS)),
    )
    return [row[0] for row in found]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)).map("".join), min_size=1, max_size=4).map(
        "".join
    )
)
def test_both_find_the_same(connection: psycopg.Connection, pattern: str) -> None:
    if refusal(pattern) is not None:
        return
    try:
        found = finds(connection, pattern)
    except SearchSyntaxError:
        return
    assert found == list(map(matcher(pattern), TEXTS)), postgres_pattern(pattern)


@pytest.mark.parametrize("pattern", [*ATOMS, "^a", "b$", "a{255}", "(?i)É", "(?i)[a-b]B", "(?im)^B$", "^*a", r"\b+a"])
def test_what_is_translated(connection: psycopg.Connection, pattern: str) -> None:
    assert refusal(pattern) is None
    assert finds(connection, pattern) == list(map(matcher(pattern), TEXTS)), postgres_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\pL",
        r"\P{Greek}",
        r"\C",
        "a(?i)b",
        "(?i:a)b",
        "((?i)a)",
        "(?i)a(?-i)b",
        "a{256}",
        "a*(?s)+",
        r"[\D]",
        r"[[:^alpha:]]",
    ],
)
def test_what_has_no_form_is_refused(pattern: str) -> None:
    if refusal(pattern) is not None:
        pytest.fail(f"RE2 refuses {pattern}: {refusal(pattern)}")
    with pytest.raises(SearchSyntaxError, match="PostgreSQL cannot search for the regular expression") as caught:
        postgres_pattern(pattern)
    assert caught.value.hint


def test_a_million_ways_to_match_are_no_matter(connection: psycopg.Connection) -> None:
    pattern = "(a*)*(a*)*(a|aa)+$"
    found = connection.execute("SELECT %s ~ %s", ("a" * 5_000 + "b", postgres_pattern(pattern))).fetchone()
    assert found == (False,)
    assert not matcher(pattern)("a" * 5_000 + "b")
