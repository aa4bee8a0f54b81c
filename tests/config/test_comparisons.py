"""Which variants an experiment compares, at which grid points."""

import pytest

from bnrenorm.config.comparisons import Comparison, comparisons, family_size
from tests.helpers import experiment_of

THREE = """
name: three
variants: {A: {norm: {kind: none}}, B: {norm: {kind: batch}}, C: {norm: {kind: batch}}}
grid: {training.optimizer.lr: [0.1, 0.2]}
seeds: 2
"""
LOW, HIGH = ((("training.optimizer.lr", rate),) for rate in (0.1, 0.2))


def compared(text, baseline=None, kept=lambda trial: True):
    trials = experiment_of(text).trials(200)
    return comparisons(filter(kept, trials), baseline)


def test_every_pair_is_compared_at_every_point():
    of = compared(THREE)
    assert [(one.point, one.a + one.b) for one in of] == [
        (point, pair) for point in (LOW, HIGH) for pair in ("AB", "AC", "BC")
    ]
    assert [one.is_tested for one in of] == 2 * [True, True, False], "B and C are the same"


def test_others_are_compared_with_a_baseline_which_comes_first():
    of = compared(THREE, "C")
    assert [(one.point, one.a + one.b) for one in of] == [(LOW, "CA"), (LOW, "CB"), (HIGH, "CA"), (HIGH, "CB")]
    assert [one.identical_because is None for one in of] == 2 * [True, False], "whatever their order"


def test_what_has_no_trials_is_not_compared():
    of = compared(THREE, kept=lambda trial: trial.point == HIGH and trial.variant != "A")
    assert [(one.point, one.a + one.b) for one in of] == [(HIGH, "BC")]


def test_variants_that_no_seed_changes_are_measured_once():
    trials = experiment_of(f"{THREE}model: {{weight_init: ones}}").trials(200)
    first = comparisons(trials, "A")[0]
    assert first == Comparison("A", "B", LOW, None, is_once=True, measured=first.measured)
    assert not first.is_tested


@pytest.mark.parametrize(
    ("grid", "size"),
    [
        ("{training.optimizer.lr: [0.1, 0.2]}", 2),  # at either point A with B, of which C is a copy
        ("{norm.r_max: [1, 2, 3]}", 5),  # A with B once; R, which is B at 1, with both at 2 and at 3
    ],
)
def test_a_family_counts_what_is_measured_once_only_once(grid, size):
    variants = "A: {norm: {kind: none}}, B: {norm: {kind: batch}}"
    third = "C: {norm: {kind: batch}}" if "lr" in grid else "R: {norm: {kind: renorm, d_max: 0}}"
    of = compared(f"name: family\nvariants: {{{variants}, {third}}}\ngrid: {grid}\nseeds: 2\n")
    assert family_size(of) == size
