"""Trials that stopped early go on as the weights that they went back to, for means over seeds and differences."""

from dataclasses import replace

import pytest
from numpy.testing import assert_allclose

from bnrenorm.analysis import over_steps
from bnrenorm.analysis.report import charts
from bnrenorm.analysis.report.cells import Cells
from tests.helpers import results_of

TEXT = """
name: a
data: {validation: 40}
variants: {BN: {norm: {kind: batch}}, none: {norm: {kind: none}}}
training: {steps: 8, early_stopping: {patience: 1}}
evaluation: {every: 2}
seeds: 2
"""


def stopped(lengths, losses, text=TEXT, outcome="finished"):
    """Results of two variants each of whose seeds has so many records, of these validation losses."""
    results = results_of(text)
    trials = []
    for trial, result in results.trials:
        length, loss = lengths[trial.seed], losses[trial.seed]
        records = {
            "step": [2.0 * (i + 1) for i in range(length)],
            "epoch": [0.5 * (i + 1) for i in range(length)],
            "test_accuracy": [0.1 * (i + 1) for i in range(length)],
            "test_loss": [1.0] * length,
            "validation_loss": list(loss),
            "stopped": [0.0] * (length - 1) + [1.0],
        }
        trials.append((trial, replace(result, records=records, outcome=outcome)))
    return replace(results, trials=trials)


def test_they_hold_what_they_went_back_to_for_as_long_as_others_train():
    results = stopped([2, 3], [(1, 2), (3, 1, 2)])
    first, second = (result.records for trial, result in results.drawn.trials if trial.variant == "BN")
    assert first["step"] == [2, 4, 6, 8]
    assert_allclose(first["epoch"], [0.5, 1, 1.5, 2])
    assert_allclose(first["test_accuracy"], [0.1, 0.2, 0.1, 0.1])
    assert_allclose(second["test_accuracy"], [0.1, 0.2, 0.3, 0.2])
    assert first["stopped"] == [0, 1, 1, 1]


def test_they_are_held_for_one_record_more_than_any_of_their_grid_point_trained():
    """Not to the end of a training of which no seed is left, nor for as long as another point trains."""
    text = f"{TEXT.replace('steps: 8', 'steps: 20')}grid: {{training.optimizer.lr: [0.1, 0.5]}}\n"
    results = stopped([2, 3], [(1, 2), (3, 1, 2)], text)
    for trial, result in results.trials:
        if trial.point[0][1] == 0.5 and trial.seed == 1:
            later = {"step": [8.0, 10.0, 12.0, 14.0], "epoch": [2.0, 2.5, 3.0, 3.5]}
            for name, values in result.records.items():
                values += later.get(name, 4 * values[-1:])
    ends = {(trial.point[0][1], trial.seed): result.records["step"][-1] for trial, result in results.drawn.trials}
    assert ends == {(0.1, 0): 8, (0.1, 1): 8, (0.5, 0): 16, (0.5, 1): 16}


def test_steps_of_49_an_epoch_are_at_the_epochs_of_those_that_train_on():
    """To the last bit (1 / (1 / 49) is not 49): a curve over the epochs would jump between the means of some of the seeds."""
    text = TEXT.replace("steps: 8", "steps: 98").replace("every: 2", "every: 1")
    results = stopped([1, 97], [(1,), (2,) * 97], text)
    for _, result in results.trials:
        result.records["step"] = [float(i + 1) for i in range(len(result.records["step"]))]
        result.records["epoch"] = [step / 49 for step in result.records["step"]]
    epochs = results.drawn.curves.groupby("seed")["epoch"].unique()
    assert set(epochs[0]) == set(epochs[1])
    assert len(epochs[0]) == 98


def test_one_variant_that_stops_early_is_held_next_to_one_that_does_not():
    text = TEXT.replace("{norm: {kind: none}}", "{norm: {kind: none}, training: {early_stopping: null}}")
    results = stopped([2, 3], [(1, 2), (3, 1, 2)], text)
    ends = {(trial.variant, trial.seed): result.records["step"][-1] for trial, result in results.drawn.trials}
    assert (ends["BN", 0], ends["none", 0]) == (8, 4)


def test_a_curve_ends_as_the_final_value():
    results = stopped([2, 3], [(1, 2), (3, 1, 2)])
    table = results.drawn.curves
    spread = over_steps.spread(over_steps.by_seed(table[table["variant"] == "BN"], "test_accuracy"))
    final = results.summary.query("variant == 'BN'")["final_test_accuracy"].mean()
    assert spread.mean[-1] == pytest.approx(final)
    assert (spread.seeds == 2).all()
    curves = Cells(results).curves((), "BN", "test_accuracy")
    assert curves.iloc[-1].mean() == pytest.approx(final)
    for chart in (charts.curves, charts.differences):
        caption = chart(Cells(results)).caption
        assert "Verdicts and tables are of the weights that were best on validation" in caption
        assert "stopped early goes on" in caption
    assert len(results.curves) == 2 * 5, "what is stored is what was recorded"


@pytest.mark.parametrize(("text", "outcome"), [(TEXT.replace("{patience: 1}", "null"), "finished"), (TEXT, "diverged")])
def test_others_end_where_they_end(text, outcome):
    results = stopped([2, 3], [(1, 2), (3, 1, 2)], text, outcome)
    assert [len(result.records["step"]) for _, result in results.drawn.trials] == [2, 3, 2, 3]


def test_the_whole_training_is_not_prolonged():
    results = stopped([4, 2], [(4, 3, 2, 1), (1, 2)])
    assert {result.records["step"][-1] for _, result in results.drawn.trials} == {8.0}
    last = {trial.seed: result.records["test_accuracy"] for trial, result in results.drawn.trials}
    assert_allclose(last[0], [0.1, 0.2, 0.3, 0.4])
