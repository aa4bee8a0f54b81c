"""The results of an experiment: each table once, and the figures that a notebook asks for."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.training.records import TrialResults
from tests.helpers import COMPARED, experiment_of, some_digits


def results_of(text=COMPARED, accuracy=lambda trial: 0.5):
    """Return the results of an experiment whose trials all have a given test accuracy, without training it."""
    experiment, data = experiment_of(text), some_digits(200, 100)
    trials = []
    for trial in experiment.trials(len(data.x_train)):
        curve = [0.5 * accuracy(trial), accuracy(trial)]
        records = {
            "step": [1, 2],
            "epoch": [1.0, 2.0],
            **dict.fromkeys(("train_accuracy", "test_accuracy", "inference_mode_accuracy"), curve),
            **{name: [2.0, 1.0] for name in ("train_loss", "test_loss")},
        }
        trials.append((trial, TrialResults("finished", 1.0, records, {"engine": "cpu", "device": "cpu"})))
    return ExperimentResults(experiment, data, "cpu", trials, Path("nowhere"))


def test_tables_are_those_of_the_trials_and_computed_once():
    results = results_of(accuracy=lambda trial: 0.8 if trial.variant == "BRN" else 0.7)
    assert len(results.summary) == 4
    assert len(results.curves) == len(results.diagnostics) == 8
    assert "inference_mode_accuracy" in results.diagnostics
    assert "inference_mode_accuracy" not in results.curves
    (verdict,) = results.verdicts
    assert verdict["mean"] == pytest.approx(0.1)
    assert results.summary is results.summary


def test_variants_with_equal_settings_are_identical_by_construction():
    text = COMPARED.replace("{kind: renorm, r_max: 3, d_max: 5}", "{kind: renorm, r_max: 1, d_max: 0}")
    (verdict,) = results_of(text).verdicts
    assert verdict["verdict"] == "identical by construction"


def test_without_a_published_table_there_is_none():
    results = results_of()
    assert (results.published, results.published_differences, results.published_values) == (None, None, None)


@pytest.mark.parametrize(
    ("published", "grid", "differences", "values"),
    [
        ("brn17", "batches: {independent: {}, few labels: {training: {batch: 10}}}", 2, None),
        ("article2/normalisation", "training.optimizer.lr: [0.1, 0.5]", None, 4),
    ],
)
def test_a_published_table_compares_differences_or_values(published, grid, differences, values):
    results = results_of(f"{COMPARED}published: {published}\ngrid: {{{grid}}}\n")
    for table, rows in ((results.published_differences, differences), (results.published_values, values)):
        assert table is None if rows is None else len(table) == rows


def test_plots_draw_the_tables():
    results = results_of(accuracy=lambda trial: (0.8 if trial.variant == "BRN" else 0.7) + 0.1 * trial.seed)
    bn, brn = results.plot.curves(Figure().subplots()).get_lines()
    assert_allclose([bn.get_ydata(), brn.get_ydata()], [[0.375, 0.75], [0.425, 0.85]])
    assert bn.get_label() == "BN: 0.7500 at the end"
    losses = results.plot.curves(Figure().subplots(), metric="train_loss").get_lines()
    assert_allclose(losses[0].get_ydata(), [2, 1])
    diagnosis = results.plot.diagnosis(Figure().subplots()).get_lines()
    assert_allclose(diagnosis[1].get_ydata(), [0.425, 0.85])


def test_plots_over_a_grid_show_every_point_and_the_pair_that_was_asked_for():
    text = COMPARED.replace("variants:", "grid: {training.optimizer.momentum: [0.5, 0.9]}\nvariants:\n  none: {}")
    results = results_of(text, accuracy=lambda trial: {"none": 0.5, "BN": 0.7, "BRN": 0.8}[trial.variant])
    none, bn, brn = results.plot.accuracy(Figure().subplots()).containers
    assert_allclose([line[0].get_ydata() for line in (none, bn, brn)], [[50, 50], [70, 70], [80, 80]])
    assert len(results.plot.difference(Figure().subplots()).containers) == 3
    ax = results.plot.difference(Figure().subplots(), only=("BN", "BRN"))
    assert ax.get_legend_handles_labels()[1] == ["BRN - BN"]
    assert_allclose(ax.containers[0][0].get_ydata(), [10, 10])
