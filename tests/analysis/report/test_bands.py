"""Means and intervals of curves that need not have the same steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bnrenorm.analysis import stats
from bnrenorm.analysis.report.bands import aligned, band, thin


def test_the_interval_is_that_of_the_verdicts(rng):
    values = rng.normal(size=(7, 3))
    drawn = band([[1, 2, 3]] * 7, list(values))
    assert_allclose(drawn.mean, values.mean(axis=0), rtol=1e-14)
    for step in range(3):
        want = stats.paired(np.zeros(7), values[:, step])
        assert_allclose((drawn.low[step], drawn.high[step]), (want.low, want.high), atol=1e-11)


def test_five_seeds_have_no_interval(rng):
    drawn = band([[1, 2]] * 5, list(rng.normal(size=(5, 2))))
    assert_array_equal(drawn.seeds, [5, 5])
    assert np.isnan(drawn.low).all()
    assert np.isfinite(drawn.mean).all()


def test_curves_that_have_ended_are_left_out():
    drawn = band([[1, 2, 3], [1, 2], [1, 2, 3]], [[1.0, 2.0, np.inf], [3.0, np.nan], [5.0, 6.0, 8.0]])
    assert_array_equal(drawn.steps, [1, 2, 3])
    assert_array_equal(drawn.seeds, [3, 2, 1])
    assert_array_equal(drawn.mean, [3.0, 4.0, 8.0])


def test_a_step_without_any_value_has_no_mean():
    drawn = band([[1, 2]], [[1.0, np.nan]])
    assert_array_equal(drawn.seeds, [1, 0])
    assert_array_equal(drawn.mean, [1.0, np.nan])


def test_curves_are_aligned_at_the_steps_of_all():
    step, table = aligned([[1, 3], [2, 3]], [[10, 30], [20, 31]])
    assert_array_equal(step, [1, 2, 3])
    assert_array_equal(table, [[10, np.nan, 30], [np.nan, 20, 31]])


@pytest.mark.parametrize("length", [1, 2, 11, 12, 13, 1000])
def test_thinning_keeps_both_ends(length):
    kept = thin(length, 12)
    assert len(kept) == min(length, 12)
    assert (kept[0], kept[-1]) == (0, length - 1)
    assert_array_equal(kept, np.unique(kept))
