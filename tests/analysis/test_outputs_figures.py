"""What the functions that draw the figures of a run folder are given."""

from dataclasses import replace

import pandas as pd
import pytest

from bnrenorm.analysis import outputs
from bnrenorm.analysis.plots import diagnostics, effects, pages, parameters
from tests.helpers import COMPARED, results_of

FOUR = COMPARED.replace(
    "variants:\n", "variants:\n  none: {norm: {kind: none}}\n  N: {norm: {kind: batch, affine: none}}\n"
)


@pytest.fixture
def arguments_of(monkeypatch):
    """A function that returns the arguments of every figure by its name."""
    names = {
        effects: ("by_steps", "ranking", "differences_by_step", "over_axis", "over_axes"),
        pages: ("over_grid", "training_and_test"),
        diagnostics: ("figure",),
    }
    for module, functions in names.items():
        for name in functions:
            monkeypatch.setattr(module, name, lambda *arguments: arguments)
    monkeypatch.setattr(parameters, "pictures", lambda trials: {"weights": lambda: (trials,)})
    return lambda results, axes="effect": {name: draw() for name, draw in outputs.figures(results, axes).items()}


def test_curves_and_diagnoses_are_those_to_be_drawn_and_files_hold_the_recorded_ones(arguments_of, tmp_path):
    """Trials that stopped early go on in figures."""
    results, drawn = results_of(folder=tmp_path), results_of(accuracy=lambda trial: 0.75)
    for one in (results, drawn):
        for _, result in one.trials:
            result.records["training_mode_accuracy"] = result.records["test_accuracy"]
    results.trials[0][1].parameters["linears/0/W"] = None
    vars(results)["drawn"] = drawn  # a cached property
    figures = arguments_of(results)
    for name in ("effect", "loss", "accuracy"):
        assert figures[name][0] is drawn.curves
    assert figures["diagnostics"][0] is drawn.diagnostics
    assert figures["weights"][0] is drawn.trials
    outputs.write_tables(results)
    for name in ("curves", "diagnostics"):
        table = pd.read_csv(tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(table, getattr(results, name), check_dtype=False)


def test_an_axis_of_one_value_is_none_of_a_figure(arguments_of):
    grid = "training.optimizer.momentum: [0.5], training.optimizer.lr: [0.1, 0.2]"
    results = results_of(f"{COMPARED}grid: {{{grid}}}\n")
    verdicts, _, key, _ = arguments_of(results)["effect"]
    assert (verdicts, key) == (results.verdicts, "training.optimizer.lr")
    _, _, keys, _ = arguments_of(results_of(f"{COMPARED}grid: {{{grid}, norm.decay: [0.9, 0.99]}}\n"))["effect"]
    assert keys == ["training.optimizer.lr", "norm.decay"]


def test_a_grid_has_curves_of_both_splits_on_the_axes_that_were_asked_for(arguments_of):
    figures = arguments_of(results_of(f"{COMPARED}grid: {{training.optimizer.lr: [0.1, 0.2]}}\n"), "article")
    splits = {name: (split, axes) for name in ("curves", "training_curves") for *_, split, _, axes in [figures[name]]}
    assert splits == {"curves": ("test", "article"), "training_curves": ("train", "article")}


def test_of_many_variants_the_differences_from_the_base_are_drawn(arguments_of):
    results = results_of(FOUR)
    on_base = [verdict for verdict in results.verdicts if "none" in (verdict["a"], verdict["b"])]
    figures = arguments_of(results)
    assert len(on_base) == 3 < len(results.verdicts)
    assert figures["effect"] == (on_base, "none", "compared")
    assert figures["difference"] == (results.curves, on_base, [], "compared")
    assert "difference" not in arguments_of(
        replace(results, experiment=results_of().experiment, trials=results_of().trials)
    )


@pytest.mark.parametrize("rule", ["", "data: {validation: 20}\n"])
def test_the_effect_says_which_weights_are_judged(arguments_of, rule):
    """With early stopping curves need not end at what is judged."""
    text = COMPARED.replace("steps: 4", "steps: 4, early_stopping: {patience: 1}") if rule else COMPARED
    results = results_of(f"{text}{rule}")
    for _, result in results.trials:
        result.records["validation_loss"] = [1.0, 2.0]
    *_, judged = arguments_of(results)["effect"]
    assert judged == ("best on validation" if rule else "at the end")
