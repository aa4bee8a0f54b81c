"""How many pairs a decision needs, against what simulated experiments with so many pairs decide."""

import numpy as np
import pytest

from bnrenorm.analysis import power, stats

UNDECIDED = (np.zeros(3), np.ones(3))


def spread_about(mean, spread=0.01):
    """Ten differences with exactly this mean and standard deviation."""
    even = np.resize([1.0, -1.0], 10)
    return mean + spread * even / even.std(ddof=1)


def share(rng, verdict, pairs, mean, family=1, spread=0.01, experiments=300):
    """Return how often so many normal differences get a verdict, among other comparisons without one."""
    drawn = rng.normal(mean, spread, (experiments, pairs))
    others = [UNDECIDED] * (family - 1)
    return np.mean([stats.compare([(np.zeros(pairs), of), *others])[0].verdict == verdict for of in drawn])


@pytest.mark.parametrize("family", [1, 6, 18])
@pytest.mark.parametrize("mean", [0.0065, 0.012, 0.02])
def test_so_many_pairs_find_a_difference_in_four_experiments_of_five(rng, mean, family):
    needed = power.pairs_needed(spread_about(mean), family)
    assert needed > 10
    found = share(rng, "b better", needed, mean, family)
    assert found > 0.7
    if needed > 11:
        assert found < 0.9, "and fewer would not do"


@pytest.mark.parametrize("mean", [0, 0.0005, -0.001])
def test_so_many_pairs_show_equivalence_in_four_experiments_of_five(rng, mean):
    needed = power.pairs_needed(spread_about(mean, 0.002), 1)
    assert 0.7 < share(rng, "equivalent", needed, mean, spread=0.002) < 0.9


def test_a_wider_margin_needs_fewer_pairs(rng):
    needed = power.pairs_needed(spread_about(0.001, 0.01), 1, margin=0.006)
    assert 10 < needed < power.pairs_needed(spread_about(0.001, 0.01), 1, margin=0.005)
    drawn = rng.normal(0.001, 0.01, (300, needed))
    equivalent = [stats.paired(np.zeros(needed), of, margin=0.006).verdict == "equivalent" for of in drawn]
    assert 0.7 < np.mean(equivalent) < 0.9


def test_equivalence_needs_no_correction_and_a_difference_does():
    even, apart = spread_about(0), spread_about(0.01)
    assert power.pairs_needed(even, 1) == power.pairs_needed(even, 20)
    assert power.pairs_needed(apart, 1) < power.pairs_needed(apart, 20)
    assert power.pairs_needed(-apart, 20) == power.pairs_needed(apart, 20)


def test_a_level_is_what_flipped_signs_can_attain():
    """Of 8 pairs the p-values are multiples of 2 / 2^8."""
    for level in (0.05, 0.05 / 6, 0.05 / 18):
        attained = max((k * 2 / 2**8 for k in range(129) if k * 2 / 2**8 < level), default=0)
        assert power._attained(8, level) == attained
    assert power._attained(100, 0.01) == 0.01


def test_without_a_spread_one_more_pair_is_asked_for():
    assert power.pairs_needed(np.full(6, 0.001), 1) == 7
    assert power.pairs_needed(spread_about(0, 10), 1) > 10**8, "which nobody will train, and which is found at once"


def test_more_pairs_are_needed_for_more_comparisons(rng):
    """The smallest p of n pairs is 2 / 2^n, and Holm multiplies the first of m by m."""
    for comparisons in (1, 2, 6, 20):
        n = stats.min_pairs(comparisons)
        assert comparisons * 2 / 2**n < 0.05 <= comparisons * 2 / 2 ** (n - 1)
    assert stats.min_pairs(1) == stats.MIN_PAIRS
    clear = [(np.zeros(6), rng.normal(0.05, 0.001, 6)) for _ in range(6)]
    assert {(difference.verdict, difference.more_pairs) for difference in stats.compare(clear)} == {("inconclusive", 2)}
