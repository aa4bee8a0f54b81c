"""Paired comparison of two variants over seeds: sign-flip test, interval, Holm's correction, equivalence.

Pure functions of arrays; values are accuracies in 0..1, or any other metric of which more is better.
"""

import importlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

MIN_PAIRS = 6
"""Pairs without which no sign-flip test can reach p < .05: the smallest p of n pairs is 2 / 2^n."""

LEVEL = 0.95
MARGIN = 0.002
"""Accuracies that differ by less than this are equivalent in practice: 0.2 percentage points."""

_EXACT = 2**13  # enumerate all sign patterns up to this number, draw _RESAMPLES of them beyond it
_RESAMPLES = 9999
_AT_ONCE = 2**19  # random numbers in memory


@dataclass(frozen=True)
class PairedDifference:
    """The statistics of S paired differences b - a.

    `verdict` is "a better", "b better", "equivalent" or "inconclusive". `differences` (S,) are those of the pairs
    without NaN. low and high bound the mean difference with 95 % confidence; `p` is the sign-flip test's p-value and
    `p_holm` the same after Holm's correction. All four are NaN with fewer than 6 pairs. `more_pairs` estimates how many
    more pairs a decision needs, 0 when there is one.
    """

    verdict: str
    differences: np.ndarray
    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    more_pairs: int


def paired(a: np.ndarray, b: np.ndarray, margin: float = MARGIN) -> PairedDifference:
    """Compare two variants by their values (S,), seed by seed."""
    return compare([(a, b)], margin)[0]


def compare(comparisons: Sequence[tuple[np.ndarray, np.ndarray]], margin: float = MARGIN) -> list[PairedDifference]:
    """Compare pairs (a, b) of values (S,) as one family, whose error rate Holm's correction keeps at 5 %.

    The test flips the signs of the differences [Fisher 1935]; the interval holds the means that the test would not
    reject [Hartigan 1969]. Both assume only that the differences are symmetric about their mean. With more than 13
    pairs the sign patterns are drawn at random, with a fixed seed. A pair with a NaN is dropped.

    A variant is better when p_holm < .05 and the interval excludes 0. The two are equivalent when the interval lies
    between -margin and margin.
    """
    uncorrected = [_measure(np.asarray(a, float), np.asarray(b, float)) for a, b in comparisons]
    corrected = holm([difference.p for difference in uncorrected])
    needed = min_pairs(max(1, len(uncorrected)))
    return [
        _decide(replace(difference, p_holm=p), margin, needed)
        for difference, p in zip(uncorrected, corrected, strict=True)
    ]


def min_pairs(comparisons: int) -> int:
    """Return the pairs with which the smallest p of a family of so many comparisons can pass Holm's correction."""
    return math.floor(math.log2(2 * comparisons / (1 - LEVEL))) + 1


def _measure(a: np.ndarray, b: np.ndarray) -> PairedDifference:
    differences = (b - a)[np.isfinite(a) & np.isfinite(b)]
    mean = float(differences.mean()) if len(differences) else math.nan
    low = high = p = math.nan
    if len(differences) >= MIN_PAIRS:
        low, high = _interval(differences)
        p = _sign_flip(differences)
    return PairedDifference("inconclusive", differences, mean, low, high, p, math.nan, 0)


def _decide(difference: PairedDifference, margin: float, needed: int) -> PairedDifference:
    n = len(difference.differences)
    if n < MIN_PAIRS:
        return replace(difference, more_pairs=needed - n)
    if -margin < difference.low and difference.high < margin:
        return replace(difference, verdict="equivalent")
    if difference.p_holm < 1 - LEVEL and (difference.low > 0 or difference.high < 0):
        return replace(difference, verdict="b better" if difference.mean > 0 else "a better")
    return replace(difference, more_pairs=max(_estimate_more_pairs(difference.differences, margin), needed - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of one family [Holm 1979]; NaN stays NaN and does not count."""
    p = np.asarray(p_values, float)
    order = [i for i in np.argsort(p) if not np.isnan(p[i])]
    adjusted = np.full(len(p), np.nan)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p[i]))
        adjusted[i] = largest
    return [float(value) for value in adjusted]


def _interval(differences: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the mean from the means of subsets, which inverts the sign-flip test. [Hartigan 1969]

    The means of the 2^n - 1 nonempty subsets cut the line into 2^n parts. Each part contains the centre of a symmetric
    distribution with equal probability, so that leaving out 2.5 % of the parts at either end has exact coverage for any
    number of pairs.
    """
    means = np.sort(
        np.concatenate([subsets @ differences / subsets.sum(axis=1) for subsets in _subsets(len(differences))])
    )
    outside = math.floor((1 - LEVEL) / 2 * (len(means) + 1))
    return float(means[outside - 1]), float(means[-outside])


def mean_intervals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high (T,) of the 95 % interval of each column's mean, values (S, T).

    At every step the interval that `compare` gives a mean difference; NaN where fewer than 6 seeds have a finite value.
    """
    low = np.full(values.shape[1], math.nan)
    high = low.copy()
    is_finite = np.isfinite(values)
    for seeds in np.unique(is_finite, axis=1).T:
        if seeds.sum() >= MIN_PAIRS:
            columns = np.flatnonzero((is_finite == seeds[:, None]).all(axis=0))
            for some in np.array_split(columns, max(1, len(columns) * min(2 ** seeds.sum(), _RESAMPLES) // _AT_ONCE)):
                low[some], high[some] = _intervals(values[np.ix_(seeds, some)])
    return low, high


def _intervals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds (T,) of `_interval` for every column of finite values (S, T)."""
    means = np.concatenate([subsets @ values / subsets.sum(axis=1)[:, None] for subsets in _subsets(len(values))])
    outside = math.floor((1 - LEVEL) / 2 * (len(means) + 1))
    means.partition((outside - 1, len(means) - outside), axis=0)
    return means[outside - 1], means[-outside]


def _subsets(n: int) -> Iterator[np.ndarray]:
    """Yield nonempty subsets of n pairs as rows of 0 and 1, some rows at a time: all, or a random sample of them."""
    if 2**n <= _EXACT:
        yield np.arange(1, 2**n)[:, None] >> np.arange(n) & 1
        return
    random, rows = np.random.default_rng(0), _rows(n)
    for begin in range(0, _RESAMPLES, rows):
        subsets = random.integers(0, 2, (min(rows, _RESAMPLES - begin), n))
        yield subsets[subsets.any(axis=1)]


def _rows(n: int) -> int:
    return max(1, _AT_ONCE // n)


def _scipy() -> Any:
    """Import scipy.stats only where it is used: it takes about a second, and few seeds need no test."""
    return importlib.import_module("scipy.stats")


def _sign_flip(differences: np.ndarray) -> float:
    resamples: Any = math.inf if 2 ** len(differences) <= _EXACT else _RESAMPLES
    with np.errstate(over="ignore"):  # of 2**n, which SciPy before 1.17 computes as a float
        test = _scipy().permutation_test(
            (differences,),
            np.mean,
            permutation_type="samples",
            n_resamples=resamples,
            batch=_rows(len(differences)),
            rng=np.random.default_rng(0),
        )
    return float(test.pvalue)


def _estimate_more_pairs(differences: np.ndarray, margin: float) -> int:
    """Estimate the missing pairs by the normal approximation: 95 % confidence, 80 % power, the spread seen so far."""
    normal = _scipy().norm
    n, mean, spread = len(differences), abs(float(differences.mean())), float(differences.std(ddof=1))
    quantiles = float(normal.ppf(0.5 + LEVEL / 2) + normal.ppf(0.8))
    effect = max(mean, margin - mean)  # the distance from 0 or from the margin: the larger one needs fewer pairs
    return max(1, math.ceil((quantiles * spread / effect) ** 2) - n)


def prediction_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the bounds within which one more value of the same normal distribution lies with 95 % probability.

    values (S,); NaN with fewer than two. [Whitmore 1986]
    """
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    half_width = float(_scipy().t.ppf((1 + LEVEL) / 2, n - 1)) * values.std(ddof=1) * np.sqrt(1 + 1 / n)
    return float(values.mean() - half_width), float(values.mean() + half_width)
