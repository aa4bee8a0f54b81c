"""Intervals by the means of subsets, against lists of all of them and the exact test."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest

from bnrenorm.analysis import intervals, stats


def listed(values):
    """Return the interval by its definition: from the list of the means of all subsets."""
    subsets = (subset for size in range(1, len(values) + 1) for subset in itertools.combinations(values, size))
    means = sorted(math.fsum(subset) / len(subset) for subset in subsets)
    outside = math.floor(0.025 * 2 ** len(values))
    return means[outside - 1], means[-outside]


@pytest.mark.parametrize("n", [6, 9, 13, 14, 16])
def test_the_bounds_are_means_of_subsets_at_their_places(rng, n):
    for values in (rng.normal(0.01, 0.02, n), rng.integers(-3, 4, n) / 100, np.full(n, 0.3)):
        assert intervals.interval(values) == pytest.approx(listed(values), abs=1e-11)


@pytest.mark.parametrize("n", [14, 19, pytest.param(30, marks=pytest.mark.slow)])
def test_an_interval_excludes_0_exactly_where_the_test_rejects(rng, n):
    """The test is exact; where the bounds were drawn, one in a hundred differences near the limit contradicted it."""
    decided = set()
    for effect in np.linspace(0.3, 0.7, 40):
        difference = stats.paired(np.zeros(n), rng.normal(effect, 1, n))
        excludes = difference.low > 0 or difference.high < 0
        assert excludes == (difference.p < 0.05) or difference.p == pytest.approx(0.05, abs=4 / 2**n)
        decided.add(excludes)
    assert decided == {True, False}


def test_more_values_than_can_be_counted_have_a_drawn_interval(rng):
    values = rng.normal(0, 1, 30)
    (low,), (high,) = intervals._bounds(values[:, None])
    exact = intervals.interval(values)
    assert (low, high) != exact
    assert (low, high) == pytest.approx(exact, abs=0.05)
    low, high = intervals.interval(rng.normal(0, 1, 400))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.1)


@pytest.mark.parametrize("seeds", [7, 9, 20])
def test_intervals_of_many_means_are_those_of_one_after_the_other(rng, seeds):
    values = rng.normal(size=(seeds, 70))
    values[0, 3] = np.nan
    low, high = intervals.mean_intervals(values)
    for i in (0, 3, 69):
        finite = values[np.isfinite(values[:, i]), i]
        near = 1e-11 if seeds < 14 else 0.05  # of more, subsets are drawn
        assert (low[i], high[i]) == pytest.approx(intervals.interval(finite), abs=near)


def test_a_bound_at_zero_has_no_sign():
    assert str(intervals.interval(np.array([0.0] * 13 + [-0.01]))[1]) == "0.0"


def test_means_of_few_values_have_no_interval(rng):
    assert np.isnan(intervals.mean_intervals(rng.normal(size=(5, 2)))).all()


def test_intervals_of_many_seeds_take_little_memory(rng):
    tracemalloc.start()
    intervals.mean_intervals(rng.normal(size=(64, 1000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6
