"""Networks that only guess: their comparison is of no use, whatever its p. Few test images: tests/analysis/test_results.py."""

import io
from dataclasses import replace

import numpy as np
import pytest

from bnrenorm.analysis import cautions
from bnrenorm.analysis.report import provenance
from bnrenorm.cli import summary
from bnrenorm.cli.progress import Screen
from tests.helpers import COMPARED, results_of, some_digits

SEEDS = COMPARED.replace("seeds: 2", "seeds: 6")
GRID = f"{SEEDS}grid: {{training.optimizer.lr: [0.1, 0.2, 0.3]}}\n"
SHARE = max(np.mean(some_digits(200, 100).y_test == label) for label in range(10))
RIGHT = f"the most frequent label alone is right for {100 * SHARE:.2f} % of the test images"


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        ({"BN": SHARE, "BRN": SHARE}, f"BN and BRN end no better than guessing: {RIGHT}"),
        ({"BN": SHARE + 0.01, "BRN": SHARE - 0.01}, f"BRN ends no better than guessing: {RIGHT}"),
        ({"BN": SHARE + 0.01, "BRN": 0.9}, None),
    ],
)
def test_variants_that_only_guess_are_named(accuracy, said):
    results = results_of(SEEDS, accuracy=lambda trial: accuracy[trial.variant] + 0.001 * (trial.seed % 2 - 0.5))
    results = replace(results, data=replace_test(results.data, 10_000))
    assert results.cautions == ([said] if said else [])
    assert (said in provenance.notes(results)) is (said is not None)


@pytest.mark.parametrize("seeds", [6, 7, 9, 10, 11])
def test_rounding_hides_no_guess(seeds):
    """The mean of equal accuracies may be larger than each."""
    results = results_of(COMPARED.replace("seeds: 2", f"seeds: {seeds}"), accuracy=lambda trial: 0.1135)
    (said,) = replace(results, data=replace_test(results.data, 10_000, 1135)).cautions
    assert said.startswith("BN and BRN end no better than guessing: the most frequent label alone is right for 11.35 %")


def test_every_caution_is_printed(tmp_path):
    results = results_of(SEEDS, accuracy=lambda trial: 0.0, folder=tmp_path)
    file = io.StringIO()
    summary.show(Screen(file=file), results)
    assert len(results.cautions) == 2, "equivalent on few images, and guessing"
    printed = " ".join(file.getvalue().split())
    assert all(f"Caution: {caution}." in printed for caution in results.cautions)


def replace_test(data, test, often=None):
    """Return a description of more test images of the same classes, so that none of them is more than the margin."""
    return data.model_copy(update={"test": test, "most_frequent": often or round(SHARE * test)})


def test_of_a_grid_the_points_are_named_or_counted():
    results = results_of(GRID, accuracy=lambda trial: 0.05 if trial.settings.training.optimizer.lr > 0.15 else 0.9)
    named = "BN at lr 0.2, BN at lr 0.3, BRN at lr 0.2 and BRN at lr 0.3 end no better than guessing"
    assert any(named in one for one in results.cautions)
    wide = GRID.replace("0.3]", "0.3, 0.4, 0.5]")
    results = results_of(wide, accuracy=lambda trial: 0.05 if trial.settings.training.optimizer.lr > 0.15 else 0.9)
    counted = "BN at 4 of 5 grid points and BRN at 4 of 5 grid points end no better than guessing"
    assert any(counted in one for one in results.cautions)


def test_runs_of_before_do_not_say_what_guessing_gets():
    results = results_of(SEEDS, accuracy=lambda trial: 0.01 * (trial.variant == "BN"))
    older = results.data.model_copy(update={"most_frequent": 0})
    assert cautions.cautions(results.verdicts, [], results.summary, older) == []


def test_a_variant_that_diverged_everywhere_has_not_guessed():
    results = results_of(SEEDS, accuracy=lambda trial: 0.9 if trial.variant == "BRN" else 0.05)
    diverged = results.summary.assign(outcome=["diverged"] * 6 + ["finished"] * 6)
    assert any("BN ends" in one for one in results.cautions)
    assert not any("guessing" in one for one in cautions.cautions(results.verdicts, [], diverged, results.data))


@pytest.mark.parametrize(("distance", "guesses"), [(0.009, False), (0.0088, True), (-0.1, True)])
def test_a_mean_is_better_than_a_guess_by_two_standard_errors(distance, guesses):
    """Six seeds that alternate by 0.01 have a standard error of 0.01 / sqrt(5) = 0.00447."""
    results = results_of(SEEDS, accuracy=lambda trial: 0.1135 + distance + 0.01 * (-1) ** trial.seed)
    said = replace(results, data=replace_test(results.data, 10_000, 1135)).cautions
    assert any(one.startswith("BN and BRN end no better than guessing") for one in said) is guesses


@pytest.mark.parametrize("accuracies", [(0.9, 0.3), (0.6, 0.25), (0.2, 0.2, 0.8), (*5 * (0.16,), 0.9)])
def test_seeds_that_are_all_better_than_a_guess_do_not_guess(accuracies):
    text = COMPARED.replace("seeds: 2", f"seeds: {len(accuracies)}")
    results = results_of(text, accuracy=lambda trial: accuracies[trial.seed])
    assert replace(results, data=replace_test(results.data, 10_000, 1500)).cautions == []


def test_single_seeds_that_collapsed_are_counted():
    results = results_of(SEEDS, accuracy=lambda trial: 0.05 if (trial.variant, trial.seed) == ("BRN", 3) else 0.9)
    said = f"BRN in 1 of 6 seeds ends no better than guessing: {RIGHT}; means hide that"
    assert said in results.cautions


def test_single_seeds_at_many_grid_points_are_counted_too():
    wide = GRID.replace("0.3]", "0.3, 0.4, 0.5]")
    results = results_of(wide, accuracy=lambda trial: 0.05 if (trial.variant, trial.seed) == ("BRN", 1) else 0.9)
    assert any(one.startswith("BRN in single seeds at 5 of 5 grid points ends no") for one in results.cautions)


def test_losses_that_explode_without_becoming_infinite_are_named():
    results = results_of(SEEDS, accuracy=lambda trial: 0.9 + 0.001 * trial.seed)
    (caution,) = cautions.cautions([], [], results.summary.assign(final_test_loss=[2e36] + [1.0] * 11), results.data)
    assert caution == "BN ends with test losses up to 2e36: that is divergence, if not to infinity"
    assert cautions.cautions([], [], results.summary.assign(final_test_loss=999.0), results.data) == []


def test_what_early_stopping_saved_from_divergence_is_told():
    results = results_of(SEEDS, accuracy=lambda trial: 0.9 + 0.001 * trial.seed)
    trials = [
        (trial, replace(result, records={**result.records, "train_loss": [1.0, np.nan]}))
        for trial, result in results.trials[:2]
    ]
    said = cautions.cautions([], [*trials, *results.trials[2:]], results.summary, results.data)
    assert said == ["BN diverged in 2 of 6 trials, after the weights that early stopping went back to"]
