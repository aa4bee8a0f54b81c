"""What a comparison decides by: the error rate of a family of tests, how many seeds that takes, and the margin."""

import math

from bnrenorm.numbers import counted

ALPHA = 0.05
"""The rate at which the tests of a family may err, all together."""

MARGIN = 0.002
"""Accuracies that differ by less than this are equivalent in practice, unless a config says otherwise: 0.2 points."""


def min_pairs(count: int) -> int:
    """Return the pairs with which the smallest p of a family of so many comparisons can pass Holm's correction.

    The smallest p of the sign-flip test of n pairs is 2 / 2^n.
    """
    return math.floor(math.log2(2 * count / ALPHA)) + 1


MIN_PAIRS = min_pairs(1)
"""Pairs without which no sign-flip test can reach p < .05."""


def too_few(seeds: int, tested: int, *, has_choice: bool) -> str:
    """Return why so many seeds can show no variant to be better; "" if they can.

    tested: the number of comparisons; has_choice: whether a baseline would make fewer of them.
    """
    if not tested or seeds >= min_pairs(tested):
        return ""
    if seeds < MIN_PAIRS:
        return f"{counted(seeds, 'seed')}: with fewer than {MIN_PAIRS} there is neither an interval nor a verdict"
    fewer = "; with a baseline there are fewer comparisons" if has_choice else ""
    return (
        f"{seeds} seeds can show no variant to be better unless one diverges: of {tested} comparisons, p < .05 after "
        f"Holm's correction needs at least {min_pairs(tested)}{fewer}"
    )
