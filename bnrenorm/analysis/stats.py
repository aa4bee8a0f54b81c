"""Paired comparison of two variants over seeds: sign-flip test, interval, Holm's correction, equivalence.

Pure functions of arrays; values are accuracies in 0..1, or any other metric of which more is better.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bnrenorm.analysis import intervals, power
from bnrenorm.analysis.intervals import AT_ONCE, COUNTED, DECIMALS, RESAMPLES, count_subsets, draw
from bnrenorm.family import ALPHA, MARGIN, MIN_PAIRS, min_pairs

LEVEL = 1 - ALPHA


@dataclass(frozen=True)
class PairedDifference:
    """The statistics of S paired differences b - a.

    `verdict` is "a better", "b better", "equivalent" or "inconclusive". `differences` (S,) are those of the pairs
    without NaN. low and high bound the mean difference with 95 % confidence; `p` is the sign-flip test's p-value and
    `p_holm` the same after Holm's correction. All four are NaN with fewer than 6 pairs. `more_pairs` estimates how many
    more pairs a decision needs, 0 when there is one. Differences below `margin` count as equivalent.
    """

    verdict: str
    differences: np.ndarray
    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    more_pairs: int
    margin: float


def paired(a: np.ndarray, b: np.ndarray, margin: float = MARGIN) -> PairedDifference:
    """Compare two variants by their values (S,), seed by seed."""
    return compare([(a, b)], margin=margin)[0]


def compare(
    comparisons: Sequence[tuple[np.ndarray, np.ndarray]],
    measured: Sequence[Hashable] | None = None,
    margin: float = MARGIN,
) -> list[PairedDifference]:
    """Compare pairs (a, b) of values (S,) as one family, whose error rate Holm's correction keeps at 5 %.

    measured: what each pair was measured of, by default something of its own; pairs of the same count as one.

    The test flips the signs of the differences [Fisher 1935]; the interval holds the means that the test would not
    reject [Hartigan 1969]. Both assume only that the differences are symmetric about their mean. Of more than 30
    pairs both draw signs at random, with a fixed seed. A pair with a NaN is dropped.

    A variant is better when p_holm < .05 and the interval excludes 0. The two are equivalent when the interval lies
    between -margin and margin.
    """
    of = range(len(comparisons)) if measured is None else measured
    differences = [_differences(np.asarray(a, float), np.asarray(b, float)) for a, b in comparisons]
    uncorrected = [_measure(of_one, p, margin) for of_one, p in zip(differences, _sign_flips(differences), strict=True)]
    once = {what: difference.p for what, difference in zip(of, uncorrected, strict=True)}
    corrected = dict(zip(once, holm(list(once.values())), strict=True))
    needed, undecided = min_pairs(max(1, len(once))), max(1, sum(not p < ALPHA for p in corrected.values()))
    return [
        _decide(replace(difference, p_holm=corrected[what]), needed, undecided)
        for what, difference in zip(of, uncorrected, strict=True)
    ]


def _differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.round(b - a, DECIMALS)[np.isfinite(a) & np.isfinite(b)]


def _measure(differences: np.ndarray, p: float, margin: float) -> PairedDifference:
    mean = round(float(differences.mean()), DECIMALS) if len(differences) else math.nan
    low, high = intervals.interval(differences) if len(differences) >= MIN_PAIRS else (math.nan, math.nan)
    return PairedDifference("inconclusive", differences, mean, low, high, p, math.nan, 0, margin)


def _decide(difference: PairedDifference, needed: int, undecided: int) -> PairedDifference:
    n = len(difference.differences)
    if n < MIN_PAIRS:
        return replace(difference, more_pairs=needed - n)
    if difference.low > -difference.margin and difference.high < difference.margin:
        return replace(difference, verdict="equivalent")
    if difference.p_holm < ALPHA and (difference.low > 0 or difference.high < 0):
        return replace(difference, verdict="b better" if difference.mean > 0 else "a better")
    fewest = power.pairs_needed(difference.differences, undecided, difference.margin)
    return replace(difference, more_pairs=max(fewest, needed) - n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of one family [Holm 1979]; NaN, of too few pairs, stays NaN and counts as 1."""
    p = np.asarray(p_values, float)
    order, adjusted = np.argsort(p), np.empty(len(p))  # NaN at the end
    adjusted[order] = np.maximum.accumulate(np.minimum(1, np.arange(len(p), 0, -1) * p[order]))
    return adjusted.tolist()


def mcnemar(a: int, b: int) -> float:
    """Return the p of an event that only one of two paired measurements had, a times the first and b times the second.

    Exact and two-sided: the sign test of these pairs. [McNemar 1947]
    """
    n = a + b
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(a, b) + 1)) / 2**n)


def _sign_flips(differences: list[np.ndarray]) -> list[float]:
    """Return for each comparison the share of sign patterns whose sum is as far from 0 as the observed one, or further.

    It is exact for up to 30 pairs; for more, enough patterns are drawn for the smallest p to pass Holm's correction.
    NaN for fewer than 6. [Fisher 1935]
    """
    p = [_counted(of_one) if MIN_PAIRS <= len(of_one) <= COUNTED else math.nan for of_one in differences]
    for n in {len(of_one) for of_one in differences if len(of_one) > COUNTED}:
        places = [i for i, of_one in enumerate(differences) if len(of_one) == n]
        shares = _drawn(np.stack([differences[i] for i in places], axis=1), max(RESAMPLES, 200 * len(differences)))
        for i, share in zip(places, shares, strict=True):
            p[i] = float(share)
    return p


def _observed(differences: np.ndarray) -> Any:
    """Return how far from 0 the sum over the pairs (n,) or (n, C) is; sums that differ by rounding alone are ties."""
    return np.abs(differences.sum(axis=0)) - 1e-9 * np.abs(differences).max(axis=0)


def _counted(differences: np.ndarray) -> float:
    """Return the share among all 2^n patterns of n pairs (n,)."""
    # A pattern's sum is twice that of pairs whose sign it keeps, less that of all. Half of the far ones are negative.
    below = count_subsets(differences, (differences.sum() - _observed(differences)) / 2)
    return min(1.0, 2 * below / 2 ** len(differences))


def _drawn(differences: np.ndarray, count: int) -> np.ndarray:
    """Return the shares (C,) among `count` random patterns and the observed one, of C comparisons (n, C)."""
    n, many = differences.shape
    observed, total, further = _observed(differences), differences.sum(axis=0), np.zeros(many, int)
    for rows in draw(n, count):
        patterns = rows.astype(float)
        for some in np.array_split(np.arange(many), math.ceil(len(rows) * many / AT_ONCE)):
            sums = 2 * (patterns @ differences[:, some]) - total[some]
            further[some] += (np.abs(sums) >= observed[some]).sum(axis=0)
    return (1 + further) / (1 + count)


def prediction_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the bounds within which one more value of the same normal distribution lies with 95 % probability.

    values (S,); NaN with fewer than two. [Whitmore 1986]
    """
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    from scipy.special import stdtrit  # not above: importing it takes time, and few runs need it

    half_width = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * values.std(ddof=1) * np.sqrt(1 + 1 / n)
    return float(values.mean() - half_width), float(values.mean() + half_width)
