"""Values over the steps: by seed, their means and intervals, and paired differences."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bnrenorm.analysis import over_steps, stats


def table(values, variant="BN"):
    """Return curves of values (S, T)."""
    rows = [(variant, s, t + 1, value) for s, of_seed in enumerate(values) for t, value in enumerate(of_seed)]
    return pd.DataFrame(rows, columns=["variant", "seed", "step", "test_accuracy"])


def test_values_are_by_step_and_seed():
    values = over_steps.by_seed(table([[1, 2, 3], [4, 5]]), "test_accuracy")
    assert_array_equal(values.to_numpy(), [[1, 4], [2, 5], [3, np.nan]])
    assert list(values.index) == [1, 2, 3]


def test_steps_and_seeds_of_which_all_values_are_missing_are_kept():
    """A line ends where the training ends, not where the last seed diverged."""
    values = over_steps.by_seed(table([[1, np.nan, np.nan], [np.nan] * 3]), "test_accuracy")
    assert (list(values.index), list(values.columns)) == ([1, 2, 3], [0, 1])
    assert_array_equal(over_steps.spread(values).mean, [1, np.nan, np.nan])


def test_many_steps_are_thinned_to_the_first_the_last_and_some_between():
    steps = over_steps.spread(over_steps.by_seed(table([np.arange(1000)]), "test_accuracy")).steps
    assert len(steps) == 200
    assert steps[[0, -1]].tolist() == [1, 1000]
    assert set(np.diff(steps)) <= {5, 6}


@pytest.mark.parametrize("length", [1, 2, 11, 12, 13, 1000])
def test_thinning_keeps_both_ends(length):
    kept = over_steps.thin(length, 12)
    assert len(kept) == min(length, 12)
    assert (kept[0], kept[-1]) == (0, length - 1)
    assert_array_equal(kept, np.unique(kept))


def test_many_steps_of_variants_that_end_differently_are_paired_before_they_are_thinned():
    both = pd.concat([table([np.arange(1000.0)]), table([np.arange(517.0) + 1], "BRN")])
    spread = over_steps.difference(both, "BN", "BRN")
    assert len(spread.steps) == 200
    assert spread.steps[[0, -1]].tolist() == [1, 517]
    assert_allclose(spread.mean, 1)


def test_means_and_intervals_leave_out_what_is_not_finite(rng):
    numbers = rng.normal(size=(7, 3))
    numbers[0, 1:] = np.nan, np.inf
    spread = over_steps.spread(over_steps.by_seed(table(numbers), "test_accuracy"))
    assert_allclose(spread.mean, [numbers[:, 0].mean(), *numbers[1:, 1:].mean(axis=0)])
    for i, seeds in enumerate([numbers, numbers[1:], numbers[1:]]):
        want = stats.paired(np.zeros(len(seeds)), seeds[:, i])
        assert_allclose([spread.low[i], spread.high[i]], [want.low, want.high])
    assert spread.has_interval
    numbers[2:, 2] = np.nan
    assert over_steps.spread(over_steps.by_seed(table(numbers), "test_accuracy")).has_interval, "at the first steps"


def test_differences_are_paired_by_seed_and_step():
    both = pd.concat([table([[0.1, 0.2], [0.5, 0.6]]), table([[0.2, 0.4], [0.5]], "BRN")])
    spread = over_steps.difference(both, "BN", "BRN")
    assert_allclose(spread.values.to_numpy(), [[0.1, 0.0], [0.2, np.nan]], atol=1e-12)
    assert_allclose(spread.mean, [0.05, 0.2])
    assert_array_equal(spread.steps, [1, 2])


def test_curves_that_have_ended_are_left_out():
    curves = {0: ([1, 2, 3], [1.0, 2.0, np.inf]), 1: ([1, 2], [3.0, np.nan]), 5: ([1, 2, 3], [5.0, 6.0, 8.0])}
    drawn = over_steps.spread(over_steps.aligned(curves))
    assert_array_equal(drawn.steps, [1, 2, 3])
    assert_array_equal(drawn.seeds, [3, 2, 1])
    assert_array_equal(drawn.mean, [3.0, 4.0, 8.0])


def test_a_step_without_any_value_has_no_mean():
    drawn = over_steps.spread(over_steps.aligned({0: ([1, 2], [1.0, np.nan])}))
    assert_array_equal(drawn.seeds, [1, 0])
    assert_array_equal(drawn.mean, [1.0, np.nan])


def test_curves_are_aligned_at_the_steps_of_all():
    table = over_steps.aligned({4: ([1, 3], [10, 30]), 7: ([2, 3], [20, 31])})
    assert_array_equal(table.index, [1, 2, 3])
    assert_array_equal(table[4], [10, np.nan, 30])
    assert_array_equal(table[7], [np.nan, 20, 31])
