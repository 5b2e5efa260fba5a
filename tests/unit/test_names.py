from __future__ import annotations

import random
import re

import pytest

from millstream import names


def test_a_name_is_adjective_noun_number() -> None:
    for _ in range(200):
        match = re.fullmatch(r"([a-z]+)-([a-z]+)-(\d{1,3})", names.random_name())
        assert match
        assert match[1] in names.ADJECTIVES
        assert match[2] in names.NOUNS


@pytest.mark.parametrize("words", [names.ADJECTIVES, names.NOUNS])
def test_the_lists_are_long_and_without_repeats(words: tuple[str, ...]) -> None:
    assert len(words) >= 150
    assert len(set(words)) == len(words)
    assert all(re.fullmatch(r"[a-z]{2,12}", word) for word in words)


def test_no_word_is_both_adjective_and_noun() -> None:
    assert not set(names.ADJECTIVES) & set(names.NOUNS)


def test_seeding_the_global_generator_does_not_repeat_names() -> None:
    drawn = set()
    for _ in range(20):
        random.seed(7)
        drawn.add(names.random_name())
    assert len(drawn) > 1


def test_naming_does_not_move_the_global_generator() -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    names.random_name()
    assert random.random() == expected
