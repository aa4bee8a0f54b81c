"""The interval of a mean by the means of subsets, which assumes no more than symmetry. [Hartigan 1969]"""

import math
from collections.abc import Iterator

import numpy as np

from bnrenorm.family import ALPHA, MIN_PAIRS

DECIMALS = 12
"""Of differences, means and bounds: rounding noise must decide no tie."""

RESAMPLES = 9999
"""Random subsets or sign patterns that stand for all of many values."""

COUNTED = 30
"""Values up to which all subsets or sign patterns are counted, and none are drawn."""

AT_ONCE = 2**19
"""Random numbers in memory."""

LISTED = 13
"""Values up to which all subsets are listed."""

_EXACT = 1e-14  # what is rounded to 12 decimals anyway


def interval(differences: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the mean from the means of subsets, which inverts the sign-flip test. [Hartigan 1969]

    The means of the 2^n - 1 nonempty subsets cut the line into 2^n parts. Each part contains the centre of a symmetric
    distribution with equal probability, so that leaving out 2.5 % of the parts at either end has exact coverage for any
    number of pairs. Of more than 30 pairs some subsets are drawn.
    """
    n = len(differences)
    if LISTED < n <= COUNTED:
        outside = math.floor(ALPHA / 2 * 2**n)
        low, high = _smallest(differences, outside), -_smallest(-differences, outside)
    else:
        (low,), (high,) = _bounds(differences[:, None])
    return round(float(low), DECIMALS) + 0.0, round(float(high), DECIMALS) + 0.0  # and not -0.0


def _smallest(values: np.ndarray, place: int) -> float:
    """Return the mean of that subset of values (n,) which is at a place among all, 1 for the smallest, by bisection."""
    low, high = float(values.min()), float(values.max())
    while high - low > _EXACT and low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if count_subsets(values - middle, 0) > place else (middle, high)  # one of them empty
    return high


def count_subsets(values: np.ndarray, most: float) -> int:
    """Count the subsets of values (n,), the empty one among them, whose sum is at most `most`.

    The sums of one half of the values are searched for each of the other half's: 2^(n/2) numbers in place of 2^n.
    """
    some, others = map(_sums, np.array_split(values, 2))
    some.sort()
    return int(np.searchsorted(some, most - others, side="right").sum())


def _sums(values: np.ndarray) -> np.ndarray:
    """Return the sums (2^n,) of all subsets of n values."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def mean_intervals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high (T,) of the 95 % interval of each column's mean, values (S, T).

    As `interval`, but that subsets of more than 13 seeds are drawn; NaN where fewer than 6 seeds have a finite value.
    """
    low = np.full(values.shape[1], math.nan)
    high = low.copy()
    is_finite = np.isfinite(values)
    for seeds in np.unique(is_finite, axis=1).T:
        if seeds.sum() >= MIN_PAIRS:
            columns = np.flatnonzero((is_finite == seeds[:, None]).all(axis=0))
            for some in np.array_split(
                columns, max(1, len(columns) * min(2 ** int(seeds.sum()), RESAMPLES) // AT_ONCE)
            ):
                low[some], high[some] = _bounds(values[np.ix_(seeds, some)])
    return low, high


def _bounds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds (T,) of `interval` for every column of finite values (S, T)."""
    means = np.concatenate([subsets @ values / subsets.sum(axis=1)[:, None] for subsets in _subsets(len(values))])
    outside = math.floor(ALPHA / 2 * (len(means) + 1))
    means.partition((outside - 1, len(means) - outside), axis=0)
    return means[outside - 1], means[-outside]


def _subsets(n: int) -> Iterator[np.ndarray]:
    """Yield nonempty subsets of n pairs as rows of 0 and 1, some rows at a time: all, or a random sample of them."""
    if n <= LISTED:
        yield np.arange(1, 2**n)[:, None] >> np.arange(n) & 1
        return
    for subsets in draw(n, RESAMPLES):
        yield subsets[subsets.any(axis=1)]


def draw(n: int, count: int) -> Iterator[np.ndarray]:
    """Yield `count` random rows of n zeros and ones, some at a time; the same in every call."""
    random, rows = np.random.default_rng(0), max(1, AT_ONCE // n)
    for begin in range(0, count, rows):
        yield random.integers(0, 2, (min(rows, count - begin), n))
