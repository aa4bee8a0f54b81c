"""The verdicts by simulation: how often they are wrong when the truth is known."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bnrenorm.analysis import stats

EXPERIMENTS = 400
SPREAD = 0.005  # of one trial's accuracy about its pair's difficulty
MARGIN = stats.MARGIN


def verdicts(rng, pairs, difference, spread=SPREAD, draw=None):
    """Simulate experiments with a true mean difference; return their results."""
    draw = draw or rng.standard_normal
    results = []
    for _ in range(EXPERIMENTS):
        difficulty = rng.normal(0.9, 0.02, pairs)
        a, b = (difficulty + spread * draw(pairs) for _ in range(2))
        results.append(stats.paired(a, b + difference))
    return results


def share(results, *words):
    return np.mean([result.verdict in words for result in results])


def not_above(rate):
    """The largest share that EXPERIMENTS with that error rate show in 99.9 % of cases."""
    return scipy_stats.binom.ppf(0.999, EXPERIMENTS, rate) / EXPERIMENTS


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [6, 10, 20])
def test_on_null_data_at_most_five_percent_are_called_better(rng, pairs):
    assert share(verdicts(rng, pairs, 0.0), "a better", "b better") <= not_above(0.05)


@pytest.mark.slow
def test_that_holds_for_heavy_tails(rng):
    """Exponential noise in both arms: the differences are symmetric."""
    results = verdicts(rng, 10, 0.0, draw=rng.standard_exponential)
    assert share(results, "a better", "b better") <= not_above(0.05)


@pytest.mark.slow
def test_skewed_differences_are_called_better_more_often(rng):
    """As docs/verdicts.md warns: as skewed as an exponential distribution, and where one seed in 20 collapses."""

    def collapsing(seeds, depth):
        noise, share = rng.standard_normal((EXPERIMENTS, seeds)), 0.05
        return SPREAD * (noise - depth * ((rng.random((EXPERIMENTS, seeds)) < share) - share))

    exponential = SPREAD * (rng.standard_exponential((EXPERIMENTS, 10)) - 1)
    for differences, rate in ((exponential, 0.1), (collapsing(20, 10), 0.2), (collapsing(12, 50), 0.54)):
        results = [stats.paired(np.zeros(len(some)), some) for some in differences]
        assert share(results, "a better", "b better") == pytest.approx(rate, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [6, 10, 20])
def test_intervals_cover_the_truth_as_often_as_they_say(rng, pairs):
    results = verdicts(rng, pairs, 0.003)
    missed = np.mean([not result.low <= 0.003 <= result.high for result in results])
    assert missed <= not_above(0.05)
    assert missed >= scipy_stats.binom.ppf(0.001, EXPERIMENTS, 0.05 if pairs > 6 else 2 / 2**6) / EXPERIMENTS


@pytest.mark.slow
def test_equivalence_is_found_when_it_is_true_and_rarely_when_it_is_not(rng):
    assert share(verdicts(rng, 10, 0.0, spread=0.0005), "equivalent") > 0.95
    assert share(verdicts(rng, 10, MARGIN, spread=0.0005), "equivalent") <= not_above(0.06)


@pytest.mark.slow
def test_a_true_difference_is_found_with_its_sign(rng):
    results = verdicts(rng, 10, 0.02)
    assert share(results, "b better") > 0.99
    assert share(results, "a better") == 0


@pytest.mark.slow
def test_seeds_added_until_a_verdict_find_more_than_there_is(rng):
    """As docs/verdicts.md warns: the advice is followed from 6 seeds on, up to 5 looks and 60 seeds."""
    found = []
    for _ in range(EXPERIMENTS):
        a, b = (SPREAD * rng.standard_normal(60) for _ in range(2))
        looks = [6]
        while (result := stats.paired(a[: looks[-1]], b[: looks[-1]])).more_pairs and len(looks) < 5:
            if (more := looks[-1] + result.more_pairs) > 60:
                break
            looks.append(more)
        found.append((stats.paired(a[:6], b[:6]).verdict, result.verdict))
    first, last = (np.mean([word.endswith("better") for word in words]) for words in zip(*found, strict=True))
    assert first <= not_above(0.05)
    assert 0.06 < last < 0.15, "more than 5 %, which the first look keeps"


@pytest.mark.slow
def test_holm_keeps_the_error_of_a_family(rng):
    """Ten null comparisons at once: in at most 5 % of families is anything called better."""
    wrong = 0
    for _ in range(100):
        arms = [(SPREAD * rng.standard_normal(8), SPREAD * rng.standard_normal(8)) for _ in range(10)]
        wrong += any(result.verdict.endswith("better") for result in stats.compare(arms))
    assert wrong / 100 <= scipy_stats.binom.ppf(0.999, 100, 0.05) / 100


def test_holm_agrees_with_its_definition():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    with_nan = stats.holm([0.01, np.nan, 0.04])
    assert with_nan[::2] == pytest.approx([0.03, 0.08]), "a comparison of too few pairs counts"
    assert np.isnan(with_nan[1])
