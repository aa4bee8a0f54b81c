"""How many pairs a decision needs: the power of a paired comparison, by Student's t in place of flipped signs."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm.family import ALPHA, MARGIN

POWER = 0.8
"""The probability with which so many pairs shall decide."""

_MOST = 2**40  # pairs, which nobody trains


def pairs_needed(differences: np.ndarray, undecided: int, margin: float = MARGIN) -> int:
    """Return how many pairs a decision needs if they are distributed as those seen so far (n,), n >= 2; more than n.

    With 80 % power they exclude 0 at the level that Holm's correction leaves to one of the undecided comparisons, or
    what is beyond the margin at 95 %, on both sides. [Owen 1965, Julious 2004]
    """
    mean, spread = abs(float(differences.mean())), float(differences.std(ddof=1))
    more = len(differences) + 1
    if not spread:
        return more

    def tells_from_zero(n: int) -> float:
        return _exceeds(n, mean / spread, _attained(n, ALPHA / undecided) / 2)

    def tells_equivalence(n: int) -> float:
        below, above = ((margin + side) / spread for side in (-mean, mean))
        return _exceeds(n, below, ALPHA / 2) + _exceeds(n, above, ALPHA / 2) - 1

    ways = [tells_from_zero] + [tells_equivalence] * (mean < margin)
    return min(_fewest(way, more) for way in ways)


def _attained(n: int, level: float) -> float:
    """Return the largest p below a level that the sign-flip test of n pairs can have, a multiple of 2 / 2^n, or 0."""
    if n > 50:
        return level
    return math.floor(level * 2 ** (n - 1)) / 2 ** (n - 1)


def _exceeds(n: int, distance: float, level: float) -> float:
    """Return the probability that the one-sided test at a level finds a distance, in standard deviations."""
    from scipy import special  # not above: importing it takes time

    if not level:
        return 0.0
    quantile: Any = special.stdtrit(n - 1, 1 - level)
    return 1 - float(special.nctdtr(n - 1, math.sqrt(n) * distance, quantile))


def _fewest(power: Callable[[int], float], start: int) -> int:
    """Return the smallest number of pairs from `start` on that has the power, which grows with it."""
    low, high = start - 1, start
    while high < _MOST and power(high) < POWER:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high
