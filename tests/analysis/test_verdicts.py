"""Verdicts and their sentences: pairs, families, diverged trials, and variants that are the same computation."""

import pytest

from bnrenorm.analysis import stats
from bnrenorm.analysis.verdicts import is_one_measurement, verdicts
from tests.analysis.trained import all_diverged, seeds_about, trained
from tests.helpers import trials_of


def test_a_difference_is_paired_by_seed_and_in_points():
    (verdict,) = verdicts(trained({"BN": [0.9, 0.901, 0.902], "BRN": [0.91, 0.911, 0.912]}))
    assert verdict["verdict"] == "inconclusive"
    assert verdict["differences"] == pytest.approx([0.01] * 3)
    assert "BRN - BN = +1.00 points" in verdict["sentence"]
    assert "3 more needed (--seeds 6)" in verdict["sentence"]
    assert (verdict["low"], verdict["p"], verdict["more_seeds"]) == (None, None, 3)


def test_ten_seeds_get_an_interval_and_a_winner():
    (verdict,) = verdicts(trained({"BN": [0.9] * 10, "BRN": seeds_about(0.88, 10)}))
    assert verdict["verdict"] == "BN better"
    assert verdict["low"] < verdict["mean"] < verdict["high"] < 0
    assert verdict["sentence"].endswith("10 paired seeds: BN is better.")


def test_equal_accuracies_in_every_seed_are_equivalent_in_words():
    (verdict,) = verdicts(trained({"BN": [0.9] * 6, "BRN": [0.9] * 6}))
    assert (verdict["verdict"], verdict["p"]) == ("equivalent", 1)
    assert verdict["sentence"] == "BRN - BN = 0 in every one of 6 paired seeds: equivalent within 0.2 points."


def test_seeds_that_change_nothing_are_one_measurement():
    once = {"BN": [0.9] * 6, "BRN": [0.8] * 6}
    (verdict,) = verdicts(trained(once, settings="model: {weight_init: ones}\n"))
    assert verdict["sentence"] == (
        "BRN - BN = -10.00 points of test accuracy: inconclusive: nothing in BN and BRN depends on the seed, so that all "
        "seeds are one measurement."
    )
    assert (verdict["verdict"], verdict["pairs"], verdict["more_seeds"]) == ("inconclusive", 1, 0)
    assert is_one_measurement(verdict)
    (verdict,) = verdicts(trained(once))
    assert verdict["verdict"] == "BN better"
    (verdict,) = verdicts(trained({"BN": [0.9], "BRN": [0.8]}))
    assert not is_one_measurement(verdict), "another seed gives another difference"
    grid = "model: {weight_init: ones}\ngrid: {model.weight_init: [zeros, ones, he_normal]}\n"
    assert {entry["comparisons"] for entry in verdicts(trained(once, settings=grid))} == {1}, "they are in no family"


@pytest.mark.parametrize("name", ["BN", "BRN"])
def test_if_one_variant_depends_on_the_seed_so_does_their_difference(name):
    constant = "model: {weight_init: ones}\n"
    accuracies = {"BN": seeds_about(0.9), "BRN": [0.8] * 6}
    (verdict,) = verdicts(trained(accuracies, settings=constant, own={name: "{training: {batch: 10}}"}))
    assert (verdict["pairs"], verdict["verdict"], verdict["comparisons"]) == (6, "BN better", 1)


def test_final_values_are_compared_and_not_the_best():
    trials = trained({"BN": [0.9] * 6, "BRN": seeds_about(0.91)})
    for trial, result in trials:
        best = 0.99 if trial.variant == "BN" else 0.92
        for name, values in result.records.items():
            values.insert(0, {"step": 0.5, "epoch": 0.5, "test_accuracy": best}.get(name, 1.0))
    (verdict,) = verdicts(trials)
    assert verdict["verdict"] == "BRN better"
    assert verdict["differences"] == pytest.approx([value - 0.9 for value in seeds_about(0.91)])


def test_a_sentence_has_all_numbers_of_its_comparison():
    """Six differences that all agree: their extremes are the interval, and p is 2 / 2^6."""
    (verdict,) = verdicts(trained({"BN": [0.9] * 6, "BRN": [0.93, 0.91, 0.94, 0.95, 0.92, 0.96]}))
    assert verdict["sentence"] == (
        "BRN - BN = +3.50 points of test accuracy [+1.00, +6.00], p = 0.0312, 6 paired seeds: BRN is better."
    )
    assert (verdict["margin"], verdict["metric"]) == (0.002, "final_test_accuracy")


@pytest.mark.parametrize(
    ("settings", "depends"),
    [
        ("model: {weight_init: ones}", False),
        ("model: {weight_init: zeros}\ntraining: {batch: {size: 10, shuffle: false}}", False),
        ("model: {weight_init: {kind: normal, mean: 0.1, std: 0}}", False),
        ("model: {weight_init: {kind: uniform, min: 0.1, max: 0.1}}", False),
        ("model: {weight_init: ones}\ntraining: {batch: {kind: sorted, size: 10, shuffle: false}}", False),
        ("model: {weight_init: normal}", True),
        ("model: {weight_init: uniform}", True),
        ("model: {weight_init: ones, dropout: {keep_hidden: 0.5}}", True),
        ("model: {weight_init: ones}\ntraining: {batch: 10}", True),
        ("model: {weight_init: ones}\ntraining: {batch: {kind: sorted, size: 10}}", True),
    ],
)
def test_what_depends_on_the_seed(settings, depends):
    assert trials_of(settings)[0].depends_on_seed is depends


def test_what_is_identical_by_construction_gets_that_word_and_its_reason():
    own = {"BN": "{norm: {kind: batch}}", "BRN": "{norm: {kind: batch, affine_gradient: mean}}"}
    (verdict,) = verdicts(trained({"BN": [0.9], "BRN": [0.9]}, own=own))
    assert verdict["verdict"] == "identical by construction"
    assert verdict["sentence"] == "BN and BRN are identical by construction: their settings are one computation."
    assert (verdict["differences"], verdict["more_seeds"], verdict["comparisons"]) == ([0], 0, 0)


def test_variants_that_are_identical_at_one_grid_point_are_compared_at_the_others():
    own = {"BN": "{norm: {kind: batch}}", "BRN": "{norm: {kind: batch, affine_lr: 0.2}}"}
    grid = "grid: {training.optimizer.lr: [0.1, 0.2]}"
    entries = verdicts(trained({"BN": [0.9] * 6, "BRN": seeds_about(0.92)}, own=own, grid=grid))
    assert [entry["verdict"] for entry in entries] == ["BRN better", "identical by construction"]


def test_only_seeds_of_both_variants_are_paired():
    (verdict,) = verdicts(trained({"BN": [0.9, 0.8], "BRN": [None, 0.9, 0.1]}))
    assert verdict["differences"] == pytest.approx([0.1])
    assert (verdict["seeds"], verdict["pairs"]) == (1, 1)
    (verdict,) = verdicts(trained({"BN": [0.9], "BRN": [None, None, 0.1]}))
    assert verdict["sentence"] == "BN and BRN have no seed in common: inconclusive: 6 paired seeds needed."
    assert (verdict["mean"], verdict["verdict"], verdict["more_seeds"]) == (None, "inconclusive", 6)
    assert verdict["comparisons"] == 1, "they belong to the family: seeds may come"
    (verdict,) = verdicts(trained({"BN": [0.9, 0.8], "BRN": [None, 0.9, 0.1]}, [("BRN", 2)]))
    assert verdict["diverged"] == {"BN": 0, "BRN": 0}, "of the seeds that both have"


def test_all_pairs_at_all_points_are_one_family():
    accuracies = {"A": seeds_about(0.9), "B": [0.91] * 6, "C": [0.92] * 6}
    entries = verdicts(trained(accuracies, grid="grid: {training.optimizer.lr: [0.1, 0.2]}"))
    assert [(entry["a"], entry["b"], *entry["point"].values()) for entry in entries] == [
        ("A", "B", 0.1), ("A", "C", 0.1), ("B", "C", 0.1), ("A", "B", 0.2), ("A", "C", 0.2), ("B", "C", 0.2),
    ]  # fmt: skip
    told = {(entry["verdict"], entry["comparisons"], entry["p_holm"], entry["more_seeds"]) for entry in entries}
    assert told == {("inconclusive", 6, 6 * 2 / 2**6, stats.min_pairs(6) - 6)}
    assert "(0.188 after Holm's correction over 6 comparisons)" in entries[0]["sentence"]


def test_with_a_baseline_only_its_pairs_are_compared():
    accuracies = {"A": [0.91] * 6, "B": seeds_about(0.9), "C": [0.92] * 6}
    entries = verdicts(trained(accuracies), baseline="B")
    assert [(entry["a"], entry["b"]) for entry in entries] == [("B", "A"), ("B", "C")]
    assert [entry["p_holm"] for entry in entries] == [2 * 2 / 2**6] * 2
    assert all(entry["mean"] > 0 for entry in entries)


def test_identical_variants_are_not_in_the_family():
    accuracies = {"A": seeds_about(0.9), "B": [0.91] * 6, "C": [0.91] * 6}
    own = {"A": "{norm: {kind: none}}", "B": "{norm: {kind: batch}}", "C": "{norm: {kind: batch}}"}
    entries = verdicts(trained(accuracies, own=own), baseline="C")
    by_pair = {entry["b"]: entry for entry in entries}
    assert by_pair["B"]["verdict"] == "identical by construction"
    assert (by_pair["A"]["p_holm"], by_pair["A"]["comparisons"]) == (2 / 2**6, 1)
    assert by_pair["A"]["verdict"] == "C better"
    assert "Holm" not in by_pair["A"]["sentence"]


def test_few_seeds_are_told_what_the_whole_family_needs():
    entries = verdicts(trained({"A": [0.9] * 2, "B": [0.91] * 2, "C": [0.92] * 2}))
    assert [entry["more_seeds"] for entry in entries] == [stats.min_pairs(3) - 2] * 3
    assert "5 more needed (--seeds 7)." in entries[0]["sentence"], "differences of a point are not equivalent with 6"
    entries = verdicts(trained({"A": [0.9] * 2, "B": [0.901] * 2, "C": [0.92] * 2}))
    assert "5 more needed (--seeds 7), of which 4 can show equivalence." in entries[0]["sentence"]
    (verdict,) = verdicts(trained({"A": [None, 0.9, None, 0.9], "B": [None, 0.91, None, 0.92]}))
    assert "4 more needed (--set 'seeds=[1,3,4,5,6,7]')." in verdict["sentence"], "others than the first ones are kept"
    (verdict,) = verdicts(trained({"A": [0.9] * 4, "B": [0.93, 0.94, 0.91, 0.92]}, [("A", 2), ("B", 0)]))
    assert "(by seed: +4.00, +2.00)" in verdict["sentence"]
    assert "8 more needed (--seeds 12)." in verdict["sentence"], "of which half may diverge, as of these"
    (verdict,) = verdicts(trained({"A": [0.9] * 4, "B": [0.901] * 4}, [("A", 2), ("B", 0)]))
    assert "8 more needed (--seeds 12)." in verdict["sentence"], "nobody knows how many of 4 would finish"


def test_two_variants_that_always_diverged_are_not_compared():
    (verdict,) = verdicts(trained({"BN": [0.098] * 6, "BRN": [0.098] * 6}, all_diverged("BN", "BRN")))
    assert verdict["verdict"] == "both diverged"
    assert verdict["sentence"] == (
        "BN diverged in 6 of 6 seeds and BRN diverged in 6 of 6 seeds: "
        "no seed in which both finished, so there is no comparison."
    )
    assert (verdict["pairs"], verdict["seeds"], verdict["mean"], verdict["more_seeds"]) == (0, 6, None, 0)
    assert verdict["diverged"] == {"BN": 6, "BRN": 6}


def test_that_one_variant_always_diverged_is_the_finding():
    (verdict,) = verdicts(trained({"BN": [0.098] * 6, "BRN": seeds_about(0.9)}, all_diverged("BN")))
    assert (verdict["verdict"], verdict["more_seeds"]) == ("BN diverged", 0)
    assert verdict["sentence"] == "BN diverged in 6 of 6 seeds and BRN in 0 (p = 0.0312 by McNemar's exact test)."


def test_a_variant_that_diverged_more_often_cannot_win():
    """Seeds in which both finished favour A, or neither; A diverged in two seeds of ten."""
    for accuracies in ({"A": [0.92] * 10, "B": seeds_about(0.9, 10)}, {"A": [0.9] * 10, "B": [0.9] * 10}):
        (verdict,) = verdicts(trained(accuracies, [("A", 0), ("A", 3)]))
        assert (verdict["verdict"], verdict["pairs"], verdict["seeds"]) == ("A diverged", 8, 10)
        divergence = "A diverged in 2 of 10 seeds and B in 0 (p = 0.5 by McNemar's exact test). "
        assert verdict["sentence"].startswith(f"{divergence}Where both finished: B - A = ")


def test_a_variant_that_diverged_less_often_can_win():
    accuracies = {"A": [0.88] * 10, "B": seeds_about(0.9, 10)}
    (verdict,) = verdicts(trained(accuracies, [("A", 0), ("A", 3), ("B", 1)]))
    assert (verdict["verdict"], verdict["pairs"]) == ("B better", 7)
    divergence = "A diverged in 2 of 10 seeds and B diverged in 1 of 10 seeds (p = 1 by McNemar's exact test). "
    assert verdict["sentence"].startswith(f"{divergence}Where both finished: B - A = ")


def test_pairs_that_never_finished_are_not_in_the_family():
    accuracies = {"A": seeds_about(0.9), "B": [0.92] * 6, "C": [0.098] * 6}
    by_pair = {(entry["a"], entry["b"]): entry for entry in verdicts(trained(accuracies, all_diverged("C")))}
    assert by_pair["A", "B"]["p_holm"] == by_pair["A", "B"]["p"] == 2 / 2**6
    assert by_pair["A", "B"]["comparisons"] == 1
    assert [by_pair[pair]["verdict"] for pair in (("A", "C"), ("B", "C"))] == ["C diverged"] * 2


def test_one_more_seed_is_singular():
    """Two comparisons need 7 pairs; here are 6."""
    entries = verdicts(trained({"A": seeds_about(0.9, 6), "B": [0.92] * 6, "C": [0.95] * 6}), baseline="A")
    assert [entry["more_seeds"] for entry in entries] == [1, 1]
    assert entries[0]["sentence"].endswith("inconclusive: about 1 more seed needed.")
