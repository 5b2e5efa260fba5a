"""Statistics of drift: how far current data is from the reference, and how far chance alone would take it.

Each value is held against a limit: the larger of what matters (the threshold of the monitor) and of what chance reaches
in a comparison of so many values with so many. Chance reaches it with the probability ``alpha / T``, where ``alpha`` is
the false alarm rate of a whole window and ``T`` the number of comparisons in it (C. E. Bonferroni, 1936): whatever the
columns have to do with each other, a window of unchanged data exceeds any limit with a probability of at most about
``alpha``. What chance reaches:

``psi``
    The population stability index ``sum (c - r) ln(c / r)`` over the shares of bins (N. Siddiqi, "Credit Risk
    Scorecards", 2006: 0.1 is a moderate and 0.25 a large shift). Without a shift it is distributed like
    ``(1/n + 1/m)`` times chi-squared with ``B - 1`` degrees of freedom (B. Yurdakul, "Statistical properties of
    population stability index", Western Michigan University, 2018).
``js``
    The Jensen–Shannon distance, base 2 (J. Lin, 1991; D. Endres and J. Schindelin, 2003): the square root of the
    divergence, which without a shift is ``(1/n + 1/m) / (8 ln 2)`` times chi-squared with ``B - 1`` degrees of freedom
    (M. L. Menéndez et al., "The Jensen–Shannon divergence", 1997).
``ks``
    The largest distance of the two distribution functions (Kolmogorov–Smirnov, two samples). Chance exceeds
    ``sqrt(-ln(a / 2) / 2) sqrt(1/n + 1/m)`` with the probability ``a`` (N. Smirnov, 1948), in ties with less.
``chi2``
    Pearson's chi-squared of the two rows of counts, as an effect that does not grow with the number of rows:
    ``w = sqrt(chi2 (1/n + 1/m))`` (J. Cohen, 1988: 0.1 is small, 0.3 medium).
``missing``, ``unseen``, ``outliers``
    The distance of a share from the one in the reference. Chance reaches the quantile of the beta-binomial
    distribution: what is to be expected of ``n`` rows after ``k`` of ``m`` were so, with Jeffreys' prior (H. Jeffreys,
    1946). Of categories that the reference has not seen, ``k`` is the number of those that it has seen once (I. J.
    Good, "The population frequencies of species", 1953).

Zeros: bins and categories that hold too little for chi-squared (fewer than 5 expected in the smaller of the two, W. G.
Cochran, 1954) are joined with their neighbours first, and each share is of counts with 0.5 added (H. Jeffreys, 1946),
so that an empty bin makes a value large and not infinite.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from millstream.entities.monitoring import Finding
from millstream.models.profile import (
    TEXT,
    TIME,
    ColumnProfile,
    as_categories,
    as_lengths,
    as_numbers,
    as_times,
)

# What matters, unless a monitor says otherwise.
MATTERS = {
    "psi": 0.1, "ks": 0.1, "js": 0.1, "chi2": 0.3, "missing": 0.05, "unseen": 0.01, "outliers": 0.05,
}
_NUMBERS = {TEXT: as_lengths, TIME: as_times}
_EXPECTED = 5.0
_ADDED = 0.5


class Compared(msgspec.Struct):
    """One comparison before its limit: ``chance(a)`` is what chance reaches with the probability ``a``, None where it
    has no part; ``p_value`` is the test's."""

    statistic: str
    column: str
    value: float
    chance: Callable[[float], float] | None = None
    p_value: float | None = None

    def found(self, matters: float | None, alpha: float) -> Finding:
        """The finding, with a limit where something ``matters``."""
        limit = None if matters is None else max(matters, self.chance(alpha) if self.chance else 0.0)
        state = "exceeded" if limit is not None and self.value > limit else "ok"
        return Finding(self.statistic, self.value, state, self.column, limit, self.p_value)


def compare_column(reference: ColumnProfile, values: Any) -> list[Compared]:
    """Every statistic of a column: ``values`` is the current column, with None for what is missing."""
    total = len(values)
    if not total:
        return []
    if reference.numeric:
        numbers = _NUMBERS.get(reference.kind, as_numbers)(values)
        there = _finite(numbers)
        made = [_missing(reference, total, len(there))]
        # Times go on: that they are later than those of the training is no drift.
        if reference.kind != TIME and len(there) and reference.count:
            made += [*_binned(reference, there), _ks(reference, there)]
        return made
    texts = [text for text in as_categories(values, reference.kind) if text is not None]
    made = [_missing(reference, total, len(texts))]
    if texts and reference.count:
        made += _of_categories(reference, texts)
    return made


def share(statistic: str, column: str, before: tuple[int, int], now: tuple[int, int]) -> Compared:
    """How far a share has moved: ``(how many, of how many)`` in the reference and now."""
    expected = before[0] / before[1] if before[1] else 0.0
    found = now[0] / now[1]
    above = found >= expected

    def chance(alpha: float) -> float:
        reached = beta_binomial_limit(now[1], before[0], before[1], alpha, above) / now[1]
        return reached - expected if above else expected - reached

    return Compared(statistic, column, abs(found - expected), chance)


def beta_binomial_limit(rows: int, hits: int, of: int, alpha: float, upper: bool = True) -> int:
    """The largest (or smallest) number of hits in ``rows`` rows that is to be expected with the probability ``1 -
    alpha``, after ``hits`` of ``of``."""
    import numpy
    from scipy.special import betaln, gammaln

    first, second = hits + 0.5, of - hits + 0.5
    counts = numpy.arange(rows + 1)
    logs = (
        gammaln(rows + 1) - gammaln(counts + 1) - gammaln(rows - counts + 1)
        + betaln(counts + first, rows - counts + second) - betaln(first, second)
    )
    chances = numpy.exp(logs)
    if upper:
        beyond = numpy.cumsum(chances[::-1])[::-1]  # of so many or more
        return int(counts[beyond > alpha].max(initial=0))
    return int(counts[numpy.cumsum(chances) > alpha].min(initial=rows))


def _binned(reference: ColumnProfile, numbers: Any) -> list[Compared]:
    import numpy

    places = numpy.searchsorted(numpy.asarray(reference.edges), numbers, side="left")
    counts = numpy.bincount(places, minlength=len(reference.counts))
    return _of_counts(reference.name, *neighbours_joined(numpy.asarray(reference.counts), counts))


def _of_counts(column: str, before: Any, now: Any) -> list[Compared]:
    """``psi`` and ``js`` of counts by bin."""
    import numpy
    from scipy.spatial.distance import jensenshannon
    from scipy.special import chdtri

    if len(now) < 2:  # one bin for all: nothing can be told
        return [Compared("psi", column, 0.0), Compared("js", column, 0.0)]
    spread, free = 1 / now.sum() + 1 / before.sum(), len(now) - 1
    shares_before = (before + _ADDED) / (before.sum() + _ADDED * len(before))
    shares_now = (now + _ADDED) / (now.sum() + _ADDED * len(now))
    psi = float(((shares_now - shares_before) * numpy.log(shares_now / shares_before)).sum())
    distance = float(jensenshannon(shares_before, shares_now, base=2))

    def reached(alpha: float) -> float:
        return float(spread * chdtri(free, alpha))

    return [
        Compared("psi", column, psi, reached),
        Compared("js", column, distance if math.isfinite(distance) else 0.0,
                 lambda alpha: math.sqrt(reached(alpha) / (8 * math.log(2)))),
    ]


def neighbours_joined(before: Any, now: Any) -> tuple[Any, Any]:
    """Counts by bin, those of neighbours together where fewer than 5 are expected in the smaller of the two."""
    import numpy

    smaller = min(before.sum(), now.sum()) / (before.sum() + now.sum())
    pairs: list[list[float]] = []
    for pair in zip(before.tolist(), now.tolist(), strict=True):
        if pairs and (sum(pairs[-1]) * smaller < _EXPECTED):
            pairs[-1] = [one + more for one, more in zip(pairs[-1], pair, strict=True)]
        else:
            pairs.append(list(pair))
    if len(pairs) > 1 and sum(pairs[-1]) * smaller < _EXPECTED:
        last = pairs.pop()
        pairs[-1] = [one + more for one, more in zip(pairs[-1], last, strict=True)]
    table = numpy.asarray(pairs)
    return table[:, 0], table[:, 1]


def _ks(reference: ColumnProfile, numbers: Any) -> Compared:
    import numpy
    from scipy.special import kolmogorov

    before, now = numpy.sort(numpy.asarray(reference.sample)), numpy.sort(numbers)
    values = numpy.concatenate([before, now])
    heights = [numpy.searchsorted(side, values, side="right") / len(side) for side in (before, now)]
    distance = float(numpy.abs(heights[0] - heights[1]).max())
    spread = 1 / len(now) + 1 / len(before)

    def chance(alpha: float) -> float:
        return min(1.0, math.sqrt(-math.log(alpha / 2) / 2 * spread))

    return Compared("ks", reference.name, distance, chance, float(kolmogorov(distance / math.sqrt(spread))))


def _of_categories(reference: ColumnProfile, texts: list[str]) -> list[Compared]:
    import numpy
    from scipy.special import chdtri
    from scipy.stats import chi2_contingency

    known = dict(reference.categories)
    counts = Counter(texts)
    unknown = sum(count for text, count in counts.items() if text not in known)
    # Beyond the categories that a profile names, it cannot tell those that it has seen from new ones.
    made = [] if reference.others else [
        share("unseen", reference.name, (reference.once, reference.count), (unknown, len(texts)))
    ]
    before = numpy.asarray([*known.values(), reference.others])
    now = numpy.asarray([*(counts.get(text, 0) for text in known), unknown])
    before, now = rare_joined(before, now)
    made += _of_counts(reference.name, before, now)
    if len(now) < 2:
        return [*made, Compared("chi2", reference.name, 0.0)]
    tested = chi2_contingency(numpy.vstack([before, now]), correction=False)
    spread, free = 1 / now.sum() + 1 / before.sum(), len(now) - 1
    return [*made, Compared(
        "chi2", reference.name, math.sqrt(float(tested.statistic) * spread),
        lambda alpha: math.sqrt(float(chdtri(free, alpha)) * spread), float(tested.pvalue),
    )]


def rare_joined(before: Any, now: Any) -> tuple[Any, Any]:
    """Counts by category, the most frequent first, the rare ones together where too few are expected of each."""
    import numpy

    order = numpy.argsort(-(before + now), kind="stable")
    before, now = before[order], now[order]
    smaller = min(before.sum(), now.sum()) / (before.sum() + now.sum())
    often = (before + now) * smaller >= _EXPECTED
    most = int(often.sum())
    if most == len(often):
        return before, now
    before = numpy.append(before[:most], before[most:].sum())
    now = numpy.append(now[:most], now[most:].sum())
    if most and (before[-1] + now[-1]) * smaller < _EXPECTED:
        before[most - 1] += before[most]
        now[most - 1] += now[most]
        before, now = before[:most], now[:most]
    return before, now


def _missing(reference: ColumnProfile, total: int, there: int) -> Compared:
    rows = reference.count + reference.missing
    return share("missing", reference.name, (reference.missing, rows), (total - there, total))


def _finite(numbers: Any) -> Any:
    import numpy

    return numbers[numpy.isfinite(numbers)]
