"""Durations in buckets that grow by a constant factor, so that quantiles are exact to a share of their value.

Bucket ``i`` holds the durations in ``(G**(i-1), G**i]`` with ``G = (1 + a) / (1 - a)``, and ``2 G**i / (1 + G)`` stands
for all of them: no quantile is wrong by more than the share ``a``, here 2 %. Counts of several hosts and minutes add
up. Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

ACCURACY = 0.02
_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_SCALE = 1 / math.log(_GROWTH)
# A microsecond and less is one bucket; so is a day and more.
_SHORTEST, _LONGEST = 1e-6, 86_400.0


def bucket_of(seconds: float) -> int:
    """The bucket of a duration in seconds."""
    return math.ceil(math.log(min(max(seconds, _SHORTEST), _LONGEST)) * _SCALE)


def quantiles(counts: Mapping[int, int], wanted: Sequence[float]) -> list[float]:
    """The quantiles (each between 0 and 1) of durations counted in buckets, in seconds; 0 where there are none."""
    total = sum(counts.values())
    found: list[float] = []
    for share in wanted:
        rank, sofar, value = share * (total - 1), 0, 0.0
        for index in sorted(counts):
            sofar += counts[index]
            if sofar > rank:
                value = 2 * _GROWTH**index / (1 + _GROWTH)
                break
        found.append(value)
    return found
