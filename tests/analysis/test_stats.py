import tracemalloc

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bnrenorm.analysis import power, stats


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


@pytest.mark.parametrize("pairs", [6, 13, 14, 30, 31])
def test_no_difference_at_all_is_sure_to_arise_by_chance(pairs):
    same = stats.paired(np.zeros(pairs), np.zeros(pairs))
    assert (same.verdict, same.mean, same.low, same.high, same.p, same.p_holm) == ("equivalent", 0, 0, 0, 1, 1)


@pytest.mark.parametrize(
    ("images", "verdict"), [(19, "equivalent"), (20, "b better"), (-19, "equivalent"), (-20, "a better")]
)
def test_a_difference_as_large_as_the_margin_is_not_within_it(images, verdict):
    assert stats.paired(np.full(6, 0.9), np.full(6, 0.9 + images / 10_000)).verdict == verdict


def test_noise_is_inconclusive_and_says_how_many_more_pairs():
    difference = stats.paired(np.zeros(8), np.array([0.011, -0.009, 0.015, -0.012, 0.006, -0.007, 0.009, -0.005]))
    assert difference.verdict == "inconclusive"
    assert difference.more_pairs == power.pairs_needed(difference.differences, 1) - 8


def test_a_decision_needs_one_more_pair_at_least_and_as_many_whichever_variant_leads():
    """One seed of six disagrees by little: p = 4 / 2^6, though for normal differences two pairs would be enough."""
    b = np.array([-0.0001, 0.01, 0.011, 0.012, 0.01, 0.011])
    for difference in (stats.paired(np.zeros(6), b), stats.paired(b, np.zeros(6))):
        assert (difference.p, difference.verdict, difference.more_pairs) == (4 / 2**6, "inconclusive", 1)


def test_near_their_limit_the_test_and_the_interval_agree():
    """From a sample of subsets the interval of these 14 pairs held 0, while the exact test rejects it."""
    images = np.array([-25, -32, 183, 54, 177, -61, -78, 30, 149, 194, 5, -23, 265, 67])
    difference = stats.paired(np.zeros(14), images / 10_000)
    test = scipy_stats.permutation_test((images,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert difference.p == pytest.approx(test.pvalue, rel=1e-12)
    assert difference.p < 0.05
    assert 0 < difference.low < 0.001
    assert difference.verdict == "b better"


def test_pairs_in_which_a_value_is_missing_are_dropped():
    a, b = np.full(9, 0.5), np.linspace(0.51, 0.59, 9)
    a[[0, 4]], b[8] = (np.nan, np.inf), np.nan
    difference = stats.paired(a, b)
    np.testing.assert_allclose(difference.differences, [0.02, 0.03, 0.04, 0.06, 0.07, 0.08])
    assert (difference.p, difference.verdict) == (2 / 2**6, "b better")
    assert (difference.low, difference.high) == pytest.approx((0.02, 0.08))


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
        assert (difference.low, difference.high) == pytest.approx((differences.min(), differences.max()))


@pytest.mark.parametrize("n", [20, 40])
def test_the_interval_is_near_the_t_interval_for_normal_differences(rng, n):
    differences = rng.normal(0.1, 1, n)
    low, high = scipy_stats.t.interval(0.95, n - 1, differences.mean(), scipy_stats.sem(differences))
    difference = stats.paired(np.zeros(n), differences)
    assert difference.low == pytest.approx(low, abs=0.1 * (high - low))
    assert difference.high == pytest.approx(high, abs=0.1 * (high - low))


SEVEN = {  # test images of 10,000 that two variants got right, with seven seeds
    "a": [9208, 9261, 9153, 9218, 9155, 9138, 9161],
    "b": [9201, 9302, 9169, 9225, 9165, 9140, 9182],
}


def test_equal_differences_are_their_own_mean_and_interval():
    for images in range(1, 200):
        equal = stats.paired(np.zeros(7), np.full(7, 1 / images))
        assert equal.low == equal.mean == equal.high


def test_ties_are_not_decided_by_rounding():
    """Counted in whole images, 8 of 128 patterns are as far from 0 as the observed one, and the interval begins at 0."""
    a, b = (np.array(SEVEN[name]) for name in "ab")
    patterns = np.array(np.meshgrid(*[[-1, 1]] * 7)).reshape(7, -1)
    want = (np.abs(patterns.T @ (b - a)) >= abs((b - a).sum())).mean()
    difference = stats.paired(a / 10_000, b / 10_000)
    assert difference.p == want == 8 / 2**7
    assert (difference.low, difference.verdict) == (0.0, "inconclusive")
    assert list(difference.differences) == [float(d) for d in (-0.0007, 0.0041, 0.0016, 0.0007, 0.001, 0.0002, 0.0021)]


@pytest.mark.parametrize("n", [6, 11, 16])
def test_the_test_is_scipys(rng, n):
    for shift in (0.0, 0.1, 1.0):
        images = np.round(rng.normal(shift, 1, n) * 20)  # with ties
        test = scipy_stats.permutation_test((images,), np.sum, permutation_type="samples", n_resamples=np.inf)
        assert stats.paired(np.zeros(n), images).p == pytest.approx(test.pvalue, rel=1e-12)


def test_the_test_of_many_pairs_is_near_scipys(rng):
    differences = rng.normal(0.3, 1, 40)
    test = scipy_stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    assert stats.paired(np.zeros(40), differences).p == pytest.approx(test.pvalue, abs=0.01)


def test_no_sample_of_sign_patterns_makes_a_p_of_zero():
    """The observed pattern counts among the 9,999 drawn ones."""
    assert stats.paired(np.zeros(31), np.ones(31)).p == 1 / 10_000


@pytest.mark.parametrize("pairs", [15, 30, 31])
def test_clear_differences_of_many_comparisons_are_found(rng, pairs):
    """.0001, the smallest p of 9,999 patterns drawn, would not pass the correction over 600 comparisons."""
    clear, none = (np.zeros(pairs), rng.normal(0.05, 0.001, pairs)), (np.zeros(6), np.zeros(6))
    assert stats.compare([clear, *[none] * 599])[0].verdict == "b better"


def test_more_pairs_are_estimated_at_the_level_that_holm_leaves(rng):
    """Of 20 undecided comparisons each is tested at .05 / 20."""
    a, b = np.zeros(10), np.resize([0.03, -0.01], 10)  # mean .01, standard deviation .0211
    alone, among = (stats.compare([(a, b)] * many)[0].more_pairs for many in (1, 20))
    assert (alone, among) == tuple(power.pairs_needed(b, many) - 10 for many in (1, 20))
    assert alone < among
    too_few = (np.zeros(3), np.ones(3))
    assert stats.compare([(a, b), *[too_few] * 19])[0].more_pairs == among, "these are undecided too"
    assert stats.compare([(b, a)])[0].more_pairs == alone
    clear = (a, a + 0.05)
    assert stats.compare([(a, b), *[clear] * 3])[0].more_pairs == alone, "these are decided"
    assert stats.compare([(a, b)] * 20, measured=[0] * 20)[0].more_pairs == alone, "these are one"


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (0, 6), (2, 9), (5, 5), (7, 3)])
def test_divergence_of_one_of_two_is_tested_by_its_sign(a, b):
    want = scipy_stats.binomtest(a, a + b).pvalue if a + b else 1
    assert stats.mcnemar(a, b) == stats.mcnemar(b, a) == pytest.approx(want)


def test_what_is_measured_once_counts_once():
    """Holm of the p-values .01, .04 and .03, of which the second was measured twice: of three, not of four."""
    pairs = [(np.zeros(n), np.resize(values, n)) for n, values in ((10, [1]), (7, [1]), (8, [1]), (7, [1]))]
    p = [2 / 2**10, 2 / 2**7, 2 / 2**8, 2 / 2**7]
    once = stats.compare(pairs, ["A", "B", "C", "B"])
    assert [of.p for of in once] == p
    assert [of.p_holm for of in once] == [3 * p[0], 2 * p[2], 2 * p[2], 2 * p[2]]
    assert stats.compare(pairs)[0].p_holm == 4 * p[0]


def test_the_same_data_give_the_same_result_twice(rng):
    b = rng.normal(size=20)
    one, two = (stats.paired(np.zeros(20), b) for _ in range(2))
    assert (one.low, one.high, one.p) == (two.low, two.high, two.p)


def test_the_prediction_interval_contains_one_more_value_as_often_as_it_says(rng):
    """And equals the textbook formula: mean +- t s sqrt(1 + 1/n)."""
    assert np.isnan(stats.prediction_interval(np.array([1.0]))).all()
    draws = rng.normal(3, 2, (4000, 6))
    intervals = [stats.prediction_interval(values[:5]) for values in draws]
    inside = np.mean([low <= new <= high for (low, high), new in zip(intervals, draws[:, 5], strict=True)])
    assert inside == pytest.approx(0.95, abs=0.015)
    low, high = stats.prediction_interval(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2 - 4.302653 * np.sqrt(4 / 3), 2 + 4.302653 * np.sqrt(4 / 3)))
    for values in ([1.0, 2.0, 6.0], [1.0, 3.0]):  # skewed, and the fewest that have a spread
        scale = np.std(values, ddof=1) * np.sqrt(1 + 1 / len(values))
        want = scipy_stats.t.interval(0.95, len(values) - 1, np.mean(values), scale)
        assert stats.prediction_interval(np.array(values)) == pytest.approx(want)


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
