"""How often an unchanged stream alarms, and how often a changed one does: 200 seeds, and the figures of the guide."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millstream.entities.monitoring import Finding
from millstream.models.profile import profile
from millstream.monitoring import compare
from millstream.serving.monitoring.statistics import MATTERS

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "monitoring.md"
SEEDS = 200
REFERENCE, WINDOW, WINDOWS = 2_000, 500, 5
COLORS = ["red", "green", "blue", "grey", "black", "white"]
SHARES = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])


def table(rng: np.random.Generator, rows: int, changed: str = "") -> dict[str, Any]:
    """Rows of a stream: a normal column, one with a long tail, counts, one with holes, colours. One may be changed."""
    holes = rng.random(rows) < (0.25 if changed == "missing" else 0.1)
    shares = np.roll(SHARES, 1) if changed == "categories" else SHARES
    return {
        "normal": rng.normal(0.5 if changed == "number" else 0.0, 1.0, rows),
        "tail": rng.lognormal(0.0, 1.0, rows),
        "count": rng.poisson(3.0, rows),
        "holes": np.where(holes, np.nan, rng.normal(size=rows)),
        "color": rng.choice(COLORS, rows, p=shares),
    }


def beyond(findings: list[Finding]) -> set[tuple[str, str]]:
    """What is beyond its limit."""
    return {(one.statistic, one.column) for one in findings if one.state == "exceeded"}


@pytest.fixture(scope="module")
def study() -> dict[str, int]:
    """How many windows, and how many seeds, were beyond a limit. An alert takes two windows in a row."""
    counts: Counter[str] = Counter()
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        reference = profile(table(rng, REFERENCE))
        before: set[tuple[str, str]] = set()
        alarmed = False
        for _ in range(WINDOWS):
            now = beyond(compare(reference, table(rng, WINDOW)).findings)
            counts["windows"] += bool(now)
            alarmed = alarmed or bool(now & before)
            before = now
        counts["alarms"] += alarmed
        # By chance alone: nothing else says what matters, and one window in twenty may be beyond a limit.
        free = compare(reference, table(rng, WINDOW), thresholds=dict.fromkeys(MATTERS, 0.0), false_alarm_rate=0.05)
        counts["free"] += bool(free.exceeded)
        for change in ("number", "missing", "categories"):
            first, second = (beyond(compare(reference, table(rng, WINDOW, change)).findings) for _ in range(2))
            counts[change] += bool(first & second)
    return dict(counts)


def test_an_unchanged_stream_does_not_alarm(study: dict[str, int]) -> None:
    windows = study.get("windows", 0)
    print(f"\nunchanged: {windows} of {SEEDS * WINDOWS} windows beyond a limit, {study['alarms']} of {SEEDS} alarm")
    assert study["alarms"] == 0
    assert windows <= 0.003 * SEEDS * WINDOWS  # told is 0.001


def test_limits_of_chance_alone_hold_what_they_tell(study: dict[str, int]) -> None:
    print(f"\nunchanged, 5 % allowed: {study['free']} of {SEEDS} windows beyond a limit")
    assert 0 < study["free"] <= 0.05 * SEEDS


@pytest.mark.parametrize("change", ["number", "missing", "categories"])
def test_a_changed_stream_alarms(study: dict[str, int], change: str) -> None:
    print(f"\n{change} changed: {study[change]} of {SEEDS} seeds alarm")
    assert study[change] == SEEDS


def test_the_guide_tells_these_figures(study: dict[str, int]) -> None:
    told = dict(re.findall(r"^\| ([a-z][^|]*?) +\| (\d+) of \d+ +\|$", GUIDE.read_text(), re.MULTILINE))
    assert {name: int(number) for name, number in told.items()} == {
        "windows of an unchanged stream beyond a limit": study.get("windows", 0),
        "unchanged streams that alarm": study["alarms"],
        "windows beyond a limit of chance alone, at a false alarm rate of 5 %": study["free"],
        "streams that alarm, one number moved by half its deviation": study["number"],
        "streams that alarm, 25 % missing in place of 10 %": study["missing"],
        "streams that alarm, other shares of categories": study["categories"],
    }
