"""Paired comparison of two arms over seeds: pure arrays in, words and numbers out."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

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
    bound the mean difference with 95 % confidence, p is the sign-flip test's; all are NaN with fewer than 6 pairs.
    `more` is about how many more pairs a decision needs; 0 when there is one.
    """

    verdict: str
    differences: np.ndarray
    mean: float
    low: float
    high: float
    p: float
    more: int


def paired(a: np.ndarray, b: np.ndarray, margin: float = MARGIN) -> Paired:
    """Compare two arms (S,), seed by seed.

    The interval is BCa bootstrap [Efron 1987], the test flips the signs of the differences [Fisher 1935]. Both are
    deterministic: the bootstrap's generator has a fixed seed.
    """
    differences = np.asarray(b, float) - np.asarray(a, float)
    n, mean = len(differences), float(differences.mean())
    if n < FEWEST:
        return Paired("inconclusive", differences, mean, math.nan, math.nan, math.nan, FEWEST - n)
    low, high = _interval(differences)
    p = _sign_flip(differences)
    if -margin < low and high < margin:
        verdict = "equivalent"
    elif p < 1 - LEVEL and (low > 0 or high < 0):
        verdict = "b better" if mean > 0 else "a better"
    else:
        verdict = "inconclusive"
    more = _more(differences, margin) if verdict == "inconclusive" else 0
    return Paired(verdict, differences, mean, low, high, p, more)


def _interval(differences: np.ndarray) -> tuple[float, float]:
    if np.ptp(differences) == 0:  # the bootstrap of equal numbers is that number
        return float(differences[0]), float(differences[0])
    found = stats.bootstrap(
        (differences,),
        np.mean,
        confidence_level=LEVEL,
        n_resamples=_RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def _sign_flip(differences: np.ndarray) -> float:
    resamples: Any = math.inf if 2 ** len(differences) <= _EXACT else _RESAMPLES
    found = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=resamples, rng=np.random.default_rng(0)
    )
    return float(found.pvalue)


def _more(differences: np.ndarray, margin: float) -> int:
    """Estimate the pairs that are missing for either answer, from the spread seen: 95 % confidence, 80 % power."""
    n, mean, spread = len(differences), abs(float(differences.mean())), float(differences.std(ddof=1))
    reach = float(stats.norm.ppf(0.5 + LEVEL / 2) + stats.norm.ppf(0.8))
    gap = max(mean, margin - mean)  # to zero, or to the margin, whichever is the shorter way
    return max(1, math.ceil((reach * spread / gap) ** 2) - n)
