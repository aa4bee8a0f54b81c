"""Paired comparison of two arms over seeds: pure arrays in, words and numbers out."""

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

FEWEST = 6
"""Pairs without which no sign-flip test can reach p < .05: the least p of n pairs is 2 / 2^n."""

LEVEL = 0.95
MARGIN = 0.002
"""Accuracies that differ by less than this are equivalent in practice: 0.2 percentage points."""

_EXACT = 2**13  # sign patterns up to which the permutation test is exact
_RESAMPLES = 9999


@dataclass(frozen=True)
class Paired:
    """What S paired differences b - a say.

    `verdict` is "a better", "b better", "equivalent" or "inconclusive" (for higher-is-better values). low and high
    bound the mean difference with 95 % confidence, p is the sign-flip test's, `adjusted` is p after Holm's correction
    for all comparisons made together; all are NaN with fewer than 6 pairs. `more` is about how many more pairs a
    decision needs; 0 when there is one.
    """

    verdict: str
    differences: np.ndarray
    mean: float
    low: float
    high: float
    p: float
    adjusted: float
    more: int


def paired(a: np.ndarray, b: np.ndarray, margin: float = MARGIN) -> Paired:
    """Compare two arms (S,), seed by seed."""
    return compare([(a, b)], margin)[0]


def compare(arms: Sequence[tuple[np.ndarray, np.ndarray]], margin: float = MARGIN) -> list[Paired]:
    """Compare pairs of arms (S,), seed by seed, as one family: Holm's correction keeps its error rate at 5 %.

    The test flips the signs of the differences [Fisher 1935], and the interval holds the means that it would not reject
    [Hartigan 1969]; both ask only that differences are symmetric about their mean. Where the patterns are too many to
    count they are drawn, from a generator of fixed seed. A seed without a value (NaN) in one arm is dropped from
    both. One arm is better when the corrected p is below .05 and the interval excludes 0; they are equivalent when
    the interval lies within the margin on both sides.
    """
    found = [_numbers(np.asarray(a, float), np.asarray(b, float)) for a, b in arms]
    corrected = holm([each.p for each in found])
    fewest = fewest_pairs(len(found))
    return [_decide(replace(each, adjusted=p), margin, fewest) for each, p in zip(found, corrected, strict=True)]


def fewest_pairs(comparisons: int) -> int:
    """Count the pairs with which the smallest p of so many comparisons can pass Holm's correction."""
    return math.floor(math.log2(2 * comparisons / (1 - LEVEL))) + 1


def _numbers(a: np.ndarray, b: np.ndarray) -> Paired:
    differences = (b - a)[np.isfinite(a) & np.isfinite(b)]
    mean = float(differences.mean()) if len(differences) else math.nan
    low = high = p = math.nan
    if len(differences) >= FEWEST:
        low, high = _interval(differences)
        p = _sign_flip(differences)
    return Paired("inconclusive", differences, mean, low, high, p, math.nan, 0)


def _decide(found: Paired, margin: float, fewest: int) -> Paired:
    n = len(found.differences)
    if n < FEWEST:
        return replace(found, more=FEWEST - n)
    if -margin < found.low and found.high < margin:
        return replace(found, verdict="equivalent")
    if found.adjusted < 1 - LEVEL and (found.low > 0 or found.high < 0):
        return replace(found, verdict="b better" if found.mean > 0 else "a better")
    return replace(found, more=max(_more(found.differences, margin), fewest - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being several [Holm 1979]; NaN stays NaN and does not count."""
    p = np.asarray(p_values, float)
    order = [i for i in np.argsort(p) if not np.isnan(p[i])]
    adjusted = np.full(len(p), np.nan)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p[i]))
        adjusted[i] = largest
    return [float(value) for value in adjusted]


def _interval(differences: np.ndarray) -> tuple[float, float]:
    """Bound the mean by the means of subsets of the differences: the sign-flip test turned round. [Hartigan 1969]

    The means of the 2^n - 1 subsets cut the line into 2^n parts that hold the centre of a symmetric distribution with
    equal chance, so that leaving 2.5 % of the parts out on either side has exact coverage, however few pairs there are.
    """
    n = len(differences)
    if 2**n <= _EXACT:
        subsets = np.arange(1, 2**n)[:, None] >> np.arange(n) & 1
    else:
        subsets = np.random.default_rng(0).integers(0, 2, (_RESAMPLES, n))
        subsets = subsets[subsets.any(axis=1)]
    means = np.sort(subsets @ differences / subsets.sum(axis=1))
    outside = math.floor((1 - LEVEL) / 2 * (len(means) + 1))
    return float(means[outside - 1]), float(means[-outside])


def _scipy() -> Any:
    """Load SciPy's statistics: a second that few seeds need not wait."""
    return importlib.import_module("scipy.stats")


def _sign_flip(differences: np.ndarray) -> float:
    resamples: Any = math.inf if 2 ** len(differences) <= _EXACT else _RESAMPLES
    found = _scipy().permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=resamples, rng=np.random.default_rng(0)
    )
    return float(found.pvalue)


def _more(differences: np.ndarray, margin: float) -> int:
    """Estimate the pairs that are missing for either answer, from the spread seen: 95 % confidence, 80 % power."""
    normal = _scipy().norm
    n, mean, spread = len(differences), abs(float(differences.mean())), float(differences.std(ddof=1))
    reach = float(normal.ppf(0.5 + LEVEL / 2) + normal.ppf(0.8))
    gap = max(mean, margin - mean)  # to zero, or to the margin, whichever is the shorter way
    return max(1, math.ceil((reach * spread / gap) ** 2) - n)


def prediction_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the bounds within which one more value of the same normal distribution lies with 95 % probability.

    values (S,); NaN with fewer than two. [Whitmore 1986]
    """
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    reach = float(_scipy().t.ppf((1 + LEVEL) / 2, n - 1)) * values.std(ddof=1) * np.sqrt(1 + 1 / n)
    return float(values.mean() - reach), float(values.mean() + reach)
