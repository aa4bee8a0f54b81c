import json

import numpy as np
import pytest

from bnrenorm import config
from bnrenorm.analysis import tables
from bnrenorm.training.records import TrialResults
from tests.helpers import COMPARED, results_of


def trained(accuracies, outcome="finished", overrides=()):
    """Return trials of `quick` whose test accuracies by step are given by (variant, seed)."""
    trained_trials = []
    trials = {(t.variant, t.seed): t for t in config.load("quick", ["seeds=10", *overrides]).trials(1000)}
    for key, values in accuracies.items():
        n = len(values)
        records = {
            "step": list(range(1, n + 1)),
            "epoch": [float(i) for i in range(1, n + 1)],
            "train_loss": [1.0 / i for i in range(1, n + 1)],
            "train_accuracy": [value / 2 for value in values],
            "test_loss": [2.0 / i for i in range(1, n + 1)],
            "test_accuracy": list(values),
        }
        trained_trials.append((trials[key], TrialResults(outcome, 1.5, records, {"engine": "cpu", "device": "cpu"})))
    return trained_trials


def test_curves_have_the_columns_of_the_contract():
    table = tables.curves(trained({("BN", 0): [0.1, 0.2], ("BRN", 0): [0.3]}))
    assert list(table.columns) == [
        "variant", "seed", "step", "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy",
    ]  # fmt: skip
    assert list(table["step"]) == [1, 2, 1]
    assert list(table["variant"]) == ["BN", "BN", "BRN"]


@pytest.mark.parametrize("values", [[None, 0.9], [0.9, None]])
def test_null_on_the_grid_stays_none(values):
    results = results_of(f"{COMPARED}grid: {{evaluation.average: {json.dumps(values)}}}")
    for table in (results.curves, results.summary):
        assert list(table["evaluation.average"].unique()) == values


def test_whole_numbers_in_a_column_with_null_are_whole():
    results = results_of(f"{COMPARED}grid: {{training.micro_batch: [null, 2]}}")
    for table in (results.curves, results.summary):
        assert [str(value) for value in table["training.micro_batch"].unique()] == ["None", "2"]


def test_summary_has_final_and_best_values_and_the_epochs_of_the_milestones():
    table = tables.summary(trained({("BN", 0): [0.5, 0.96, 0.99, 0.97], ("BN", 1): [0.1, 0.2, 0.2, 0.1]}))
    one, two = (row for _, row in table.iterrows())
    assert (one["final_test_accuracy"], one["best_test_accuracy"], one["best_epoch"]) == (0.97, 0.99, 3)
    assert [one[f"epochs_to_{n}"] for n in (95, 97, 98)] == [2, 3, 3]
    assert (one["final_train_loss"], one["best_test_loss"]) == (0.25, 0.5)
    assert np.isnan([two[f"epochs_to_{n}"] for n in (95, 97, 98)]).all()
    assert two["best_epoch"] == 2


def test_a_milestone_is_reached_when_it_is_equalled():
    row = tables.summary(trained({("BN", 0): [0.94, 0.95, 0.96]})).iloc[0]
    assert row["epochs_to_95"] == 2


def test_the_best_of_a_diverged_trial_is_a_number():
    (pair,) = trained({("BN", 0): [0.4, 0.5, np.nan]}, "diverged")
    pair[1].records["train_loss"][-1] = np.nan
    row = tables.summary([pair]).iloc[0]
    assert np.isnan([row["final_train_loss"], row["final_test_accuracy"]]).all()
    assert row["best_train_loss"] < np.inf
    assert (row["best_test_accuracy"], row["best_epoch"]) == (0.5, 2)


def test_the_record_before_the_first_step_is_nothing_that_training_reached():
    (pair,) = trained({("BN", 0): [0.98, 0.5, 0.6, 0.4]})
    pair[1].records.update(step=[0, 1, 2, 3], epoch=[0.0, 1.0, 2.0, 3.0], test_loss=[0.1, 3.0, 2.0, 1.0])
    row = tables.summary([pair]).iloc[0]
    assert (row["best_test_accuracy"], row["best_epoch"], row["best_test_loss"]) == (0.6, 2, 1.0)
    assert np.isnan(row["epochs_to_95"])


@pytest.mark.filterwarnings("error")
def test_a_trial_without_any_accuracy_has_no_best():
    row = tables.summary(trained({("BN", 0): [np.nan, np.nan]}, "diverged")).iloc[0]
    assert np.isnan([row["best_test_accuracy"], row["best_epoch"], row["epochs_to_95"]]).all()


def test_a_summary_ends_with_what_trained_the_trial():
    (pair,) = trained({("BN", 0): [0.5]})
    pair[1].provenance.update(engine="chainer", device="cuda:0")
    table = tables.summary([pair])
    assert list(table.columns[-3:]) == ["seconds", "engine", "device"]
    assert list(table.iloc[0, -3:]) == [1.5, "chainer", "cuda:0"]


def test_a_column_that_a_trial_does_not_have_is_nan_there():
    trials = trained({("BN", 0): [0.1, 0.2], ("BRN", 0): [0.3, 0.4]})
    trials[1][1].records["layer1_r_50"] = [1.5, 2.5]
    np.testing.assert_array_equal(tables.diagnostics(trials)["layer1_r_50"], [np.nan, np.nan, 1.5, 2.5])


@pytest.mark.parametrize(("watch", "best"), [("loss", 1), ("accuracy", 2)])
def test_with_early_stopping_the_final_values_are_those_of_the_restored_weights(watch, best):
    rule = ["data.validation=100", f"training.early_stopping={{watch: {watch}}}"]
    ((trial, result),) = trained({("BN", 0): [0.5, 0.6, 0.7, 0.8]}, overrides=rule)
    result.records["validation_loss"] = [3.0, 1.0, 2.0, np.nan]
    result.records["validation_accuracy"] = [0.1, 0.2, 0.3, np.nan]
    assert tables.final_record(result.records, trial.watched) == best
    row = tables.summary([(trial, result)]).iloc[0]
    assert (row["final_test_accuracy"], row["final_epoch"]) == ([0.5, 0.6, 0.7][best], best + 1)
    result.records[f"validation_{watch}"] = [np.nan] * 4
    assert tables.final_record(result.records, trial.watched) == 3
