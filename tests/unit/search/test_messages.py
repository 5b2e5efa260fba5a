"""What a user reads when a filter is wrong: the expectation, the place, the next step."""

from __future__ import annotations

import pytest

from millstream.errors import SearchSyntaxError
from millstream.search.parser import MAX_LIST, MAX_PATTERN, MAX_TERMS, parse_filter, parse_order
from millstream.search.vocabulary import EXPERIMENTS, RUNS, Vocabulary


def error_of(text: str, vocabulary: Vocabulary = RUNS) -> SearchSyntaxError:
    with pytest.raises(SearchSyntaxError) as caught:
        parse_filter(text, vocabulary)
    return caught.value


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("metrcs.a > 1", "did you mean metrics?"),
        ("Tags.a = 'x'", "did you mean tags?"),
        ("statsu = 'x'", "did you mean status?"),
        ("startTime > 1", "did you mean start_time?"),
        ("metrics = 1", "write the key after a dot: metrics.NAME"),
        ("accuracy > 0.9", "metrics, parameters and tags are written metrics.NAME, params.NAME and tags.NAME"),
        ("dataset.nam = 'x'", "did you mean name?"),
        ("params.a LIK 'x'", "did you mean LIKE?"),
        ("metrics.a == 1", "did you mean =?"),
        ("metrics.a => 1", "did you mean >=?"),
        ("params.a ~ 'x'", "did you mean MATCHES?"),
        ("params.a > 'x'", "text is compared with = and !=, with patterns, or with BETWEEN 'a' AND 'b'"),
        ("metrics.a MATCHES 'x'", "numbers have no patterns"),
        ("metrics.a > '1'", "numbers are written like 3, -0.5 or 1e-3, without quotes"),
        ("params.a = 1", "write '1'"),
        ("params.a = x", "write 'x'"),
        (
            "metrics.val/loss > 1",
            "a key with other characters than letters, digits, _ and . is quoted: metrics.`val/loss`",
        ),
        (
            "min(metrics.val-loss) > 1",
            "a key with other characters than letters, digits, _ and . is quoted: metrics.`val-loss`",
        ),
        ("maxi(metrics.a) > 1", "did you mean max?"),
        ("(params.a = 'x'", "close the parenthesis opened at character 1"),
        ("params.a = 'x", "end the quoted text with '"),
        ("'x' = params.a", "write the field first: params.NAME = 'value'"),
        ("params.a MATCHES '(?!a)'", "look-around and back-references are not part of it"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    assert error_of(text).hint == hint


def test_a_hint_about_an_order_key() -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse_order(["metrics.val/loss DESC"], RUNS)
    assert str(caught.value.hint).endswith("is quoted: metrics.`val/loss`")


def test_the_caret_stands_under_the_character() -> None:
    error = error_of("params.a = 'x' AND\nstatsu = 'y'")
    assert error.message.split("\n") == [
        "Invalid attribute key 'statsu': "
        "expected one of run_id, run_name, status, user_id, artifact_uri, start_time, end_time",
        "  params.a = 'x' AND statsu = 'y'",
        "                     ^",
    ]
    assert error.position == 19


def test_a_long_text_is_shown_around_the_character() -> None:
    error = error_of("params.a = 'x' AND " * 50 + "foo = 'x'" + " AND params.a = 'x'" * 50)
    _, shown, caret = error.message.split("\n")
    assert len(shown) < 130
    assert shown[2] == shown[-1] == "…"
    assert shown[caret.index("^") :].startswith("foo = 'x'")


def test_an_entity_without_metrics_says_so() -> None:
    assert "experiments have no metrics" in error_of("max(metrics.a) > 1", EXPERIMENTS).message
    assert error_of("foo = 'x'", EXPERIMENTS).hint == "tags are written tags.NAME"


def test_numbers_of_comparisons_are_limited() -> None:
    clause = "params.a = 'x'"
    assert parse_filter(" AND ".join([clause] * MAX_TERMS), RUNS) is not None
    error = error_of(" OR ".join([clause] * (MAX_TERMS + 1)))
    assert "more than 2,000 comparisons" in error.message
    assert error.position == MAX_TERMS * len(clause + " OR ")


def test_lists_are_limited() -> None:
    assert parse_filter(f"metrics.a IN ({', '.join('1' * MAX_LIST)})", RUNS) is not None
    assert "more than 10,000 values" in error_of(f"metrics.a IN ({', '.join('1' * (MAX_LIST + 1))})").message


def test_depth_is_limited() -> None:
    for opening, closing in (("(", ")"), ("NOT ", ""), ("NOT (", ")")):
        levels = 100 // (2 if opening == "NOT (" else 1)
        assert parse_filter(opening * levels + "params.a = 'x'" + closing * levels, RUNS) is not None
        assert "nested more than 100 levels" in error_of(opening * 101 + "params.a = 'x'" + closing * 101).message
    assert parse_filter(" AND ".join(["NOT (params.a = 'x')"] * 200), RUNS) is not None


def test_the_depth_limit_holds_for_any_text() -> None:
    assert "nested more than 100 levels" in error_of("(" * 100_000).message


def test_patterns_are_limited() -> None:
    assert parse_filter(f"params.a MATCHES '{'a' * MAX_PATTERN}'", RUNS) is not None
    assert "more than 1,000 characters" in error_of(f"params.a MATCHES '{'a' * (MAX_PATTERN + 1)}'").message
    assert "more than 10,000 characters" in error_of(f"params.a LIKE '{'a' * 10_001}'").message


def test_texts_are_limited() -> None:
    assert "the limit is 100,000" in error_of("params.a = '" + "x" * 100_000 + "'").message
    assert parse_filter("params.a = '" + "x" * 90_000 + "'", RUNS) is not None
