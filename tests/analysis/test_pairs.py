"""What is paired, what is one measurement, and how many further seeds that takes."""

from bnrenorm.analysis.verdicts import verdicts
from tests.analysis.trained import all_diverged, seeds_about, trained


def test_what_a_grid_does_not_change_counts_once():
    accuracies = {"A": seeds_about(0.9), "B": seeds_about(0.91), "C": seeds_about(0.93), "D": seeds_about(0.93)}
    own = {"A": "{norm: {kind: none}}", "B": "{norm: {kind: batch}}"} | dict.fromkeys("CD", "{norm: {kind: renorm}}")
    trials = trained(accuracies, own=own, grid="grid: {norm.r_max: [2, 3]}")
    entries = verdicts(trials)
    assert {entry["comparisons"] for entry in entries} == {5}, "AB, and AC and BC at each point"
    assert {entry["p_holm"] for entry in entries if entry["a"] != "C"} == {5 * 2 / 2**6}


def test_the_same_computation_with_fewer_seeds_is_another_measurement():
    """B and R are one computation, stored by themselves; R lacks seeds, as where a worker was lost."""
    accuracies = {"A": seeds_about(0.9, 8), "B": seeds_about(0.91, 8), "R": [*seeds_about(0.91, 8)[:3], *[None] * 5]}
    own = {"A": "{norm: {kind: none}}", "B": "{norm: {kind: batch}}", "R": "{norm: {kind: renorm, r_max: 1, d_max: 0}}"}
    trials = trained(accuracies, own=own)
    of = {entry["a"] + entry["b"]: entry for entry in verdicts(trials)}
    assert (of["AB"]["comparisons"], of["AB"]["verdict"], of["AB"]["p_holm"]) == (2, "B better", 2 * 2 / 2**8)
    assert (of["AR"]["p"], of["AR"]["p_holm"], of["AR"]["pairs"]) == (None, None, 3)


def test_seeds_that_are_one_measurement_are_no_sample_of_divergence():
    once = "training: {batch: full}, model: {weight_init: zeros, hidden: [%d]}"
    own = {name: f"{{{once % width}}}" for width, name in enumerate("AB", 3)}
    accuracies = {"A": [0.1] * 8, "B": [0.1] * 8}
    (verdict,) = verdicts(trained(accuracies, all_diverged("A", seeds=8), own=own))
    assert verdict["sentence"] == "A diverged in 8 of 8 seeds and B in 0."
