"""Figures of the learned parameters: which files, which panels, and which trials are left out."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from bnrenorm.analysis.plots import parameters
from bnrenorm.training.records import TrialResults
from tests.helpers import experiment_of

TEXT = """
name: a
variants: {none: {norm: {kind: none}}, BN: {norm: {kind: batch}}}
evaluation: {parameters: true}
grid: {training.optimizer.lr: [0.1, 9]}
seeds: 1
"""


def trained(rng, accuracy=0.9, text=TEXT):
    """Return trials of every variant at two learning rates; those at the larger one have learned nothing."""
    trials = []
    for trial in experiment_of(text).trials(100):
        arrays = {"linears/0/W": rng.normal(size=(30, 20)), "linears/0/b": np.zeros((1, 30))}
        records = {"step": [0, 1], "epoch": [0.0, 1.0], "test_accuracy": [0.1, accuracy]}
        if trial.variant == "BN":
            arrays |= {"norms/0/affine/gamma": np.ones((1, 30)), "norms/0/affine/beta": np.zeros((1, 30))}
            records |= {"layer1_gamma": [np.nan, 1.1], "layer1_beta": [np.nan, 0.2]}
        if trial.settings.training.optimizer.lr > 1:
            arrays["linears/0/W"] = arrays["linears/0/W"] * np.inf
            records["test_accuracy"] = [0.1, 0.1]
        trials.append((trial, TrialResults("finished", 1.0, records, parameters=arrays)))
    return trials


def drawn_by(trials):
    """Return the figures of trials by name."""
    return {name: draw() for name, draw in parameters.pictures(trials).items()}


def test_every_file_shows_the_networks_that_have_learned(rng):
    drawn = drawn_by(trained(rng))
    assert list(drawn) == ["weights", "affine", "affine_epochs"]
    assert [[ax.get_title() for ax in figure.axes] for figure in drawn.values()] == [
        ["layer 1: weights", ""],
        ["layer 1: gamma", "layer 1: beta"],
        ["layer 1: gamma", "layer 1: beta"],
    ]
    weights = drawn["weights"]
    assert [ax.get_ylabel() for ax in weights.axes] == ["none: weights", "BN: weights"]
    assert weights.get_suptitle() == "after training, seed 0; not drawn: 2 of 4 networks, which learned nothing"
    assert [text.get_text() for text in weights.legends[0].get_texts()] == ["0.1"]
    assert parameters.pictures(trained(rng, accuracy=0.1)) == {}
    trials = trained(rng)
    trials[0][1].parameters.clear()  # of "none" at the smaller rate, as of a trial that diverged
    assert drawn_by(trials)["weights"].get_suptitle().endswith("; not drawn: 2 of 3 networks, which learned nothing")


@pytest.mark.parametrize(
    ("classes", "accuracy", "learned"),
    [(10, 0.21, True), (10, 0.19, False), (100, 0.19, True), (100, 0.1, False), (2, 0.55, False), (2, 0.56, True)],
)
def test_what_a_network_must_have_learned_depends_on_the_number_of_classes(rng, classes, accuracy, learned):
    """A ninth of the way from guessing to all: 20 % of ten classes."""
    trials = [
        (replace(trial, settings=with_outputs(trial.settings, classes)), result)
        for trial, result in trained(rng, accuracy)
    ]
    assert ("weights" in parameters.pictures(trials)) is learned


def with_outputs(settings, classes):
    return settings.model_copy(update={"model": settings.model.model_copy(update={"outputs": classes})})


def test_records_without_a_number_give_an_empty_panel(rng):
    trials = trained(rng)
    for _, result in trials:
        result.records.update({name: [np.nan, np.nan] for name in result.records if name.startswith("layer1_")})
    assert not any(ax.lines for ax in drawn_by(trials)["affine_epochs"].axes)


def test_a_legend_names_the_points_of_a_grid_and_without_one_there_is_none(rng):
    def figure(grid):
        text = TEXT.replace("grid: {training.optimizer.lr: [0.1, 9]}", grid)
        return drawn_by(trained(rng, text=text))["affine"]

    assert figure("").legends == []
    both = figure("grid: {training.optimizer.lr: [0.1, 0.2], evaluation.average: [null, 0.9]}")
    assert [text.get_text() for text in both.legends[0].get_texts()] == ["null", "0.9"]
    assert both.legends[0].get_title().get_text() == "average"
    assert [ax.get_ylabel() for ax in both.axes[::2]] == ["BN: nodes\nlr 0.1", "BN: nodes\nlr 0.2"]


def test_points_that_differ_are_never_one_line(rng):
    """Neither where the last axis has a single value, nor where the networks at all other values learned nothing."""
    for grid in ("training.optimizer.momentum: [0.5, 0.6], training.optimizer.lr: [0.1]",
                 "training.optimizer.momentum: [0.5, 0.6], training.optimizer.lr: [0.1, 9]"):  # fmt: skip
        trials = trained(rng, text=TEXT.replace("training.optimizer.lr: [0.1, 9]", grid))
        drawn = drawn_by([(trial, result) for trial, result in trials if trial.variant == "BN"])
        lines = [
            [len(ax.patches) for ax in drawn["affine"].axes],
            [len(ax.lines) for ax in drawn["affine_epochs"].axes],
        ]
        assert lines in ([[2, 2], [2, 2]], [[1] * 4, [1] * 4]), grid


def test_rows_and_lines_whose_names_read_the_same_stay_apart(rng):
    one, other = (f"{40 * 'x'}{middle}{40 * 'x'}" for middle in "ab")
    text = TEXT.replace("training.optimizer.lr: [0.1, 9]", f"kinds: {{{one}: {{}}, {other}: {{}}}}")
    text = text.replace("{none: ", f"{{{one}: ").replace("BN: ", f"{other}: ")
    drawn = drawn_by(trained(rng, text=text))
    assert [len(ax.patches) for ax in drawn["weights"].axes] == [2, 2]
    assert len(drawn["weights"].legends[0].texts) == 2


def test_every_panel_shows_its_lines_to_their_ends(rng):
    trials = trained(rng, text=TEXT.replace("[0.1, 9]", "[0.1, 0.2]").replace("grid: {", "grid: {a: {x: {}, y: {}}, "))
    trials[-4][1].records["epoch"][-1] = 20.0  # of BN at x
    panels = drawn_by(trials)["affine_epochs"].axes
    assert max(line.get_xdata().max() for ax in panels for line in ax.lines) == 20
    assert all(ax.get_xlim()[1] > 20 for ax in panels)


def test_what_counts_are_the_weights_that_early_stopping_went_back_to(rng):
    early = "data: {validation: 9}\ntraining: {early_stopping: {}}\n"
    trials = trained(rng, text=TEXT + early)
    for _, result in trials:
        result.records.update(step=[1, 2], validation_loss=[1.0, np.nan], test_accuracy=[0.9, np.nan])
    assert "learned nothing" not in drawn_by(trials)["weights"].get_suptitle()


def test_all_36_lines_of_a_grid_are_named(rng):
    six = "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]"
    grid = f"grid: {{training.optimizer.lr: {six}, training.optimizer.momentum: {six}}}"
    text = TEXT.replace("grid: {training.optimizer.lr: [0.1, 9]}", grid).replace(", BN: {norm: {kind: batch}}", "")
    weights = drawn_by(trained(rng, text=text))["weights"]
    assert [ax.get_ylabel() for ax in weights.axes] == [f"none: weights\nlr 0.{i}" for i in range(1, 7)]
    assert [len(ax.patches) for ax in weights.axes] == [6] * 6
    assert [text.get_text() for text in weights.legends[0].get_texts()] == [f"0.{i}" for i in range(1, 7)]
    legend = weights.legends[0].get_lines()
    assert [line.get_color() for line in legend] == [to_hex(patch.get_edgecolor()) for patch in weights.axes[0].patches]


def test_the_panels_show_the_weights_and_the_affine_parameters_over_epochs(rng):
    trials = trained(rng)
    drawn = drawn_by(trials)
    weights = next(result.parameters["linears/0/W"] for trial, result in trials if trial.variant == "none")
    (outline,) = drawn["weights"].axes[0].patches
    assert outline.get_data().values.sum() == weights.size
    assert drawn["affine_epochs"].axes[0].get_ylabel() == "BN: mean"
    for ax, mean in zip(drawn["affine_epochs"].axes, (1.1, 0.2), strict=True):  # gamma, beta
        (line,) = ax.get_lines()
        assert (list(line.get_xdata()), list(line.get_ydata())) == ([1.0], [mean])


def test_every_value_has_its_own_histogram_of_the_first_seed_in_its_colour(rng):
    text = TEXT.replace("[0.1, 9]", "[0.1, 0.2]").replace("seeds: 1", "seeds: 2")
    trials = trained(rng, text=text)
    for trial, result in trials:
        centre = 10 * (trial.settings.training.optimizer.lr == 0.2) + 100 * trial.seed
        result.parameters["linears/0/W"] = centre + rng.normal(size=(30, 20))
        if trial.variant == "BN":
            result.records["layer1_gamma"] = [np.nan, 1.0 + trial.seed + centre % 100]
    drawn = drawn_by(trials)
    for ax in drawn["weights"].axes:
        counts, edges, _ = zip(*(patch.get_data() for patch in ax.patches), strict=True)
        means = [
            np.average((edge[1:] + edge[:-1]) / 2, weights=count) for count, edge in zip(counts, edges, strict=True)
        ]
        np.testing.assert_allclose(means, [0, 10], atol=0.5)
    legend = drawn["weights"].legends[0]
    colours = {text.get_text(): line.get_color() for text, line in zip(legend.texts, legend.get_lines(), strict=True)}
    assert list(colours) == ["0.1", "0.2"]
    assert [to_hex(patch.get_edgecolor()) for patch in drawn["weights"].axes[0].patches] == list(colours.values())
    gamma = drawn["affine_epochs"].axes[0].get_lines()
    assert [line.get_ydata()[-1] for line in gamma] == [1.5, 11.5], "means over the seeds"
    assert [line.get_color() for line in gamma] == list(colours.values())
    assert drawn["weights"].get_suptitle() == "after training, seed 0"


def test_a_network_that_lacks_a_layer_has_an_empty_panel_there(rng):
    text = TEXT.replace("training.optimizer.lr: [0.1, 9]", "depth: {a: {model: {hidden: [30, 20]}}, b: {}}")
    trials = trained(rng, text=text)
    trials[-1][1].parameters["linears/1/W"] = rng.normal(size=(20, 30))
    weights = drawn_by(trials)["weights"]
    assert [bool(ax.patches) for ax in weights.axes] == [True, False, True, True]
