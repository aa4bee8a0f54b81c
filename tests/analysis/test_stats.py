import tracemalloc

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bnrenorm.analysis import stats


def test_fewer_than_six_pairs_are_never_decided():
    """Five pairs that all agree have p = 2 / 2^5 = .0625."""
    for n in range(1, stats.MIN_PAIRS):
        difference = stats.paired(np.zeros(n), np.ones(n))
        assert (difference.verdict, difference.more_pairs) == ("inconclusive", 6 - n)
        assert np.isnan([difference.low, difference.high, difference.p, difference.p_holm]).all()
        assert difference.mean == 1


@pytest.mark.parametrize(("shift", "verdict"), [(0.05, "b better"), (-0.05, "a better")])
def test_a_clear_difference_is_found_with_its_sign(rng, shift, verdict):
    a = rng.normal(0.9, 0.01, 10)
    difference = stats.paired(a, a + shift + rng.normal(0, 0.005, 10))
    assert difference.verdict == verdict
    assert difference.low < shift < difference.high
    assert difference.more_pairs == 0


def test_a_difference_within_the_margin_is_equivalent(rng):
    a = rng.normal(0.9, 0.01, 10)
    assert stats.paired(a, a + rng.normal(0, 0.0005, 10)).verdict == "equivalent"
    assert stats.paired(a, a).verdict == "equivalent"


def test_noise_is_inconclusive_and_says_how_many_more_pairs():
    difference = stats.paired(np.zeros(8), np.array([0.011, -0.009, 0.015, -0.012, 0.006, -0.007, 0.009, -0.005]))
    assert difference.verdict == "inconclusive"
    spread, mean = difference.differences.std(ddof=1), abs(difference.mean)
    effect = max(mean, stats.MARGIN - mean)
    assert difference.more_pairs == np.ceil(((1.959964 + 0.841621) * spread / effect) ** 2) - 8


def test_the_sign_flip_test_counts_the_sign_patterns(rng):
    """All 2^n patterns by hand, for both tails."""
    differences = rng.normal(0.3, 1, 8)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1)
    means = (signs * differences[:, None]).mean(axis=0)
    want = (np.abs(means) >= abs(differences.mean()) - 1e-12).mean()
    assert stats.paired(np.zeros(8), differences).p == pytest.approx(want)


@pytest.mark.parametrize("n", [6, 8, 11])
def test_the_interval_holds_the_means_that_the_test_does_not_reject(rng, n):
    differences = rng.normal(0.3, 1, n)
    difference = stats.paired(np.zeros(n), differences)

    def p(mean):
        """Return the p-value of the hypothesis that the true mean is this one."""
        return stats.paired(np.full(n, mean), differences).p

    for bound, inwards in ((difference.low, 1e-6), (difference.high, -1e-6)):
        assert p(bound + inwards) >= 0.05
        assert p(bound - inwards) < 0.05
    if n == 6:
        assert (difference.low, difference.high) == (differences.min(), differences.max())


@pytest.mark.parametrize("n", [20, 40])
def test_the_interval_is_near_the_t_interval_for_normal_differences(rng, n):
    differences = rng.normal(0.1, 1, n)
    low, high = scipy_stats.t.interval(0.95, n - 1, differences.mean(), scipy_stats.sem(differences))
    difference = stats.paired(np.zeros(n), differences)
    assert difference.low == pytest.approx(low, abs=0.1 * (high - low))
    assert difference.high == pytest.approx(high, abs=0.1 * (high - low))


def test_the_same_data_give_the_same_result_twice(rng):
    b = rng.normal(size=20)
    one, two = (stats.paired(np.zeros(20), b) for _ in range(2))
    assert (one.low, one.high, one.p) == (two.low, two.high, two.p)


def test_more_pairs_are_needed_for_more_comparisons(rng):
    """The smallest p of n pairs is 2 / 2^n, and Holm multiplies the first of m by m."""
    for comparisons in (1, 2, 6, 20):
        n = stats.min_pairs(comparisons)
        assert comparisons * 2 / 2**n < 0.05 <= comparisons * 2 / 2 ** (n - 1)
    assert stats.min_pairs(1) == stats.MIN_PAIRS
    clear = [(np.zeros(6), rng.normal(0.05, 0.001, 6)) for _ in range(6)]
    assert {(difference.verdict, difference.more_pairs) for difference in stats.compare(clear)} == {("inconclusive", 2)}


def test_the_prediction_interval_contains_one_more_value_as_often_as_it_says(rng):
    """And equals the textbook formula: mean +- t s sqrt(1 + 1/n)."""
    assert np.isnan(stats.prediction_interval(np.array([1.0]))).all()
    draws = rng.normal(3, 2, (4000, 6))
    intervals = [stats.prediction_interval(values[:5]) for values in draws]
    inside = np.mean([low <= new <= high for (low, high), new in zip(intervals, draws[:, 5], strict=True)])
    assert inside == pytest.approx(0.95, abs=0.015)
    low, high = stats.prediction_interval(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2 - 4.302653 * np.sqrt(4 / 3), 2 + 4.302653 * np.sqrt(4 / 3)))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pairs(rng):
    """9,999 samples of 2,000 pairs at once would be 160 MB."""
    differences = rng.normal(0.001, 0.01, 2000)
    stats.paired(np.zeros(20), differences[:20])  # imports
    tracemalloc.start()
    result = stats.paired(np.zeros(2000), differences)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6
    error = differences.std(ddof=1) / 2000**0.5
    assert result.low == pytest.approx(differences.mean() - 1.96 * error, abs=0.2 * error)
    assert result.high == pytest.approx(differences.mean() + 1.96 * error, abs=0.2 * error)


@pytest.mark.parametrize("seeds", [6, 9, 20])
def test_intervals_of_many_means_are_those_of_one_after_the_other(rng, seeds):
    values = rng.normal(size=(seeds, 70))
    values[0, 3] = np.nan
    low, high = stats.mean_intervals(values)
    for i in (0, 3, 69):
        finite = values[np.isfinite(values[:, i]), i]
        want = stats.paired(np.zeros(len(finite)), finite)
        np.testing.assert_allclose([low[i], high[i]], [want.low, want.high])


def test_means_of_few_values_have_no_interval(rng):
    assert np.isnan(stats.mean_intervals(rng.normal(size=(5, 2)))).all()
