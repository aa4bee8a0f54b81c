"""The figures that a notebook asks for: what they show, and one line for every slip."""

from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.testing import assert_allclose

from bnrenorm.errors import InputError
from tests.helpers import COMPARED, results_of

GRID = f"{COMPARED}grid: {{training.optimizer.momentum: [0.5, 0.9], evaluation.average: [null, 0.9]}}"
ONE = COMPARED.replace("  BN: {norm: {kind: batch}}\n", "")
NO_BATCH_NORM = COMPARED.replace("kind: renorm, r_max: 3, d_max: 5", "kind: layer").replace("kind: batch", "kind: none")
AT = {"training.optimizer.momentum": 0.9, "evaluation.average": None}


def test_curves_and_diagnosis_draw_the_tables():
    results = results_of(accuracy=lambda trial: (0.8 if trial.variant == "BRN" else 0.7) + 0.1 * trial.seed)
    bn, brn = results.plot.curves(Figure().subplots()).get_lines()
    assert_allclose([bn.get_ydata(), brn.get_ydata()], [[37.5, 75], [42.5, 85]])
    assert bn.get_label() == "BN: 75.00 at the end"
    losses = results.plot.curves(Figure().subplots(), metric="train_loss").get_lines()
    assert_allclose(losses[0].get_ydata(), [2, 1])
    assert losses[0].get_label() == "BN: 1.0000 at the end"
    diagnosis = results.plot.diagnosis(Figure().subplots()).get_lines()
    assert_allclose(diagnosis[1].get_ydata(), [42.5, 85])


def test_plots_over_a_grid_show_every_point_and_the_pair_that_was_asked_for():
    text = COMPARED.replace("variants:", "grid: {training.optimizer.momentum: [0.5, 0.9]}\nvariants:\n  none: {}")
    results = results_of(text, accuracy=lambda trial: {"none": 0.5, "BN": 0.7, "BRN": 0.8}[trial.variant])
    none, bn, brn = results.plot.accuracy(Figure().subplots()).containers
    assert_allclose([line[0].get_ydata() for line in (none, bn, brn)], [[50, 50], [70, 70], [80, 80]])
    assert len(results.plot.difference(Figure().subplots()).containers) == 3
    ax = results.plot.difference(Figure().subplots(), only=("BN", "BRN"))
    assert ax.get_legend_handles_labels()[1] == ["equivalent: within 0.2 points", "BRN - BN"]
    assert_allclose(ax.containers[0][0].get_ydata(), [10, 10])


@pytest.mark.parametrize("method", ["curves", "diagnosis"])
def test_over_a_grid_the_curves_are_those_of_the_point_that_was_asked_for(method):
    results = results_of(GRID, accuracy=lambda trial: dict(trial.point)["training.optimizer.momentum"])
    ax = getattr(results.plot, method)(Figure().subplots(), at=AT)
    assert_allclose([line.get_ydata() for line in ax.get_lines()], [[45, 90]] * 2)


@pytest.mark.parametrize("method", ["accuracy", "difference"])
def test_over_a_part_of_a_grid_the_axes_that_are_left_are_shown(method):
    ax = getattr(results_of(GRID).plot, method)(Figure().subplots(), at={"training.optimizer.momentum": 0.9})
    assert ax.get_xlabel() == "evaluation.average"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["null", "0.9"]


def test_an_axis_with_one_value_needs_none():
    results = results_of(f"{COMPARED}grid: {{training.optimizer.momentum: [0.5]}}")
    assert len(results.plot.curves(Figure().subplots()).get_lines()) == 2


def test_a_pair_may_be_asked_for_either_way():
    seeds = COMPARED.replace("seeds: 2", "seeds: 6")
    results = results_of(seeds, accuracy=lambda trial: 0.5 + 0.01 * trial.seed * (trial.variant == "BRN"))
    one, other = (results.plot.difference(Figure().subplots(), only=pair) for pair in (("BN", "BRN"), ("BRN", "BN")))
    assert other.get_legend_handles_labels()[1][1:] == ["BN - BRN"]
    bars = [ax.containers[0][2][0].get_segments()[0][:, 1] for ax in (one, other)]
    assert_allclose(bars[1], -bars[0][::-1])
    assert one.get_title() == other.get_title() == ""


def test_a_pair_looks_like_no_variant_and_the_same_whichever_pairs_are_drawn():
    plot = results_of(COMPARED.replace("variants:\n", "variants:\n  none: {norm: {kind: none}}\n")).plot

    def colour(ax, name):
        handles, labels = ax.get_legend_handles_labels()
        handle = handles[labels.index(name)]
        return (handle[0] if isinstance(handle, tuple) else handle).get_color()

    accuracy = plot.accuracy(Figure().subplots())
    of_pair = colour(plot.difference(Figure().subplots()), "BRN - BN")
    assert of_pair not in {colour(accuracy, name) for name in ("none", "BN", "BRN")}
    pair = {"only": ("BN", "BRN")}
    for ax in (plot.difference(Figure().subplots(), **pair), plot.difference_by_step(Figure().subplots(), **pair)):
        assert colour(ax, "BRN - BN") == of_pair


def test_differences_by_step_are_those_of_one_point_and_pair():
    ax = results_of(GRID, accuracy=lambda trial: 0.8 - 0.1 * (trial.variant == "BN")).plot.difference_by_step(
        Figure().subplots(), only=("BRN", "BN"), at=AT
    )
    line = next(line for line in ax.get_lines() if line.get_label() == "BN - BRN")
    assert_allclose(line.get_ydata(), [-5, -10])
    with pytest.raises(InputError, match="one grid point expected"):
        results_of(GRID).plot.difference_by_step()


def test_differences_without_intervals_say_so():
    ax = results_of().plot.difference(Figure().subplots())
    assert ax.get_title() == "paired by seed, no intervals: 2 of the 6 seeds needed"


@pytest.mark.parametrize(
    "text", [COMPARED, ONE, NO_BATCH_NORM, f"{ONE}grid: {{training.optimizer.momentum: [0.5, 0.9]}}"]
)
def test_accuracies_are_drawn_of_every_experiment(text):
    assert results_of(text).plot.accuracy(Figure().subplots()).containers


@pytest.mark.parametrize(
    ("text", "method", "arguments", "message"),
    [
        (GRID, "curves", {}, "at=None: one grid point expected, such as at={'training.optimizer.momentum': 0.5, 'evaluation.average': None}; training.optimizer.momentum has 0.5, 0.9; evaluation.average has None, 0.9"),
        (GRID, "diagnosis", {"at": {"evaluation.average": 0.9}}, "one grid point expected, such as at={'evaluation.average': 0.9, 'training.optimizer.momentum': 0.5}"),
        (GRID, "curves", {"at": {**AT, "training.optimizer.momentum": 0.7}}, "0.7 is not on the grid; training.optimizer.momentum has 0.5, 0.9"),
        (GRID, "difference", {"at": {"momentum": 0.9}}, "unknown axis of the grid 'momentum'; allowed: evaluation.average, training.optimizer.momentum"),
        (GRID, "accuracy", {"at": {"training.optimizer.momentum": np.array([0.5])}}, "(0.5,) is not on the grid;"),
        (GRID, "accuracy", {"at": 0.9}, "at=0.9: expected values of the grid's axes"),
        (COMPARED, "accuracy", {"at": AT}, "this experiment has no grid"),
        (COMPARED, "curves", {"metric": "val_accuracy"}, "metric='val_accuracy': unknown column of results.curves 'val_accuracy'; did you mean"),
        (COMPARED, "curves", {"metric": None}, "metric=None: unknown column of results.curves"),
        (COMPARED, "curves", {"metric": "seed"}, "unknown column of results.curves 'seed'"),
        (COMPARED, "diagnosis", {"metric": "layer9_r_95"}, "unknown column of results.diagnostics 'layer9_r_95'"),
        (COMPARED, "difference", {"only": ("BN", "X")}, "unknown variant 'X'; allowed: BN, BRN"),
        (COMPARED, "difference", {"only": ("BN", "BN")}, "these two were not compared"),
        (COMPARED, "difference", {"only": "BN"}, "only='BN': expected two variants, such as ('BN', 'BRN') for BRN - BN"),
        (COMPARED, "difference", {"only": ("BN",)}, "expected two variants"),
        (ONE, "difference", {}, "expected two variants to compare, this experiment has BRN"),
        (ONE, "difference", {"only": ("BN", "BRN")}, "expected two variants to compare"),
    ],
)  # fmt: skip
def test_a_slip_is_one_line_that_says_what_was_expected(text, method, arguments, message):
    before = plt.get_fignums()
    with pytest.raises(InputError) as error:
        getattr(results_of(text).plot, method)(**arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert plt.get_fignums() == before, "no empty figure is left"


@pytest.mark.parametrize("method", ["difference", "difference_by_step"])
def test_a_point_whose_trials_were_lost_is_one_line(method):
    """As after a run on a cluster."""
    results = results_of(GRID)
    there = [one for one in results.trials if one[0].variant == "BN" or dict(one[0].point) != AT]
    with pytest.raises(InputError, match="there are no trials of two variants to compare"):
        getattr(replace(results, trials=there).plot, method)(at=AT)


def test_without_batch_normalisation_there_is_no_diagnosis():
    results = results_of(NO_BATCH_NORM)
    for _, trial in results.trials:
        del trial.records["inference_mode_accuracy"]
    with pytest.raises(InputError, match=r"results\.diagnostics has nothing to draw: no variant has batch normal"):
        results.plot.diagnosis()


@pytest.mark.parametrize("ax", ["train_loss", 3, Figure(), np.array([None])])
@pytest.mark.parametrize("method", ["curves", "diagnosis", "accuracy", "difference"])
def test_what_is_no_ax_is_a_type_error(method, ax):
    with pytest.raises(TypeError, match="expected a Matplotlib Axes"):
        getattr(results_of().plot, method)(ax)


def test_a_figure_of_its_own_is_one_that_a_notebook_shows():
    ax = results_of().plot.curves()
    assert ax.figure is plt.gcf()
    assert ax.get_ylabel() == "test accuracy (%)"
    plt.close(ax.figure)


@pytest.mark.parametrize("settings", [{}, {"text.usetex": True}, {"text.parse_math": False}])
@pytest.mark.parametrize("method", ["curves", "diagnosis", "accuracy", "difference"])
def test_names_are_drawn_literally_whatever_the_user_has_set(method, settings):
    names = {"BN": "$x$ _%", "BRN": r"$\frac$"}
    text = COMPARED.replace("BRN:", "'" + names["BRN"] + "':").replace("BN:", "'" + names["BN"] + "':", 1)
    results = results_of(text + "grid: {'$a$ #': {'$b$ &': {}}}")
    with matplotlib.rc_context(settings):
        figure = getattr(results.plot, method)(Figure().subplots()).figure
        figure.draw_without_rendering()
    drawn = [text._preprocess_math(text.get_text()) for text in figure.findobj(Text) if "$" in text.get_text()]
    literal = {text for text, kind in drawn if kind is False}
    for name in names.values():
        assert any(name in text for text in literal)
    for text, kind in drawn:  # else only numbers of an axis
        assert kind is False or (kind is True and text.startswith("$\\mathdefault{"))
