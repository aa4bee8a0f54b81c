"""Heat maps: where cells stand, what they say, and what a few extreme values do to the colours."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bnrenorm.analysis.plots import heat_maps
from bnrenorm.analysis.plots.heat_maps import Cell


def verdict(mean, words, diverged=None, point=(1, 0)):
    return {
        "a": "BN", "b": "BRN", "point": dict(zip(("r", "d"), point, strict=True)), "mean": mean, "verdict": words,
        "diverged": diverged or {}, "seeds": 6,
    }  # fmt: skip


def test_rows_stand_from_top_to_bottom_with_the_numbers_in_the_cells():
    cells = {
        (1, 0): Cell(1.0),
        (1, 5): Cell(2.0),
        (3, 0): Cell(np.nan, ("both lost", "", "")),
        (3, 5): Cell(-4.0, ("x", "", ""), True),
    }
    ax = Figure().subplots()
    mesh = heat_maps.heat_map(ax, cells, heat_maps.difference_scale([1, 2, -4]), ("r_max", "d_max"), "{:+.1f}".format)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "3"]
    assert ax.yaxis_inverted()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("d_max", "r_max")
    values = np.ma.filled(mesh.get_array().reshape(2, 2), np.nan)
    np.testing.assert_array_equal(values, [[1, 2], [np.nan, -4]])
    texts = {text.xy: text.get_text() for text in ax.texts if text.get_text()}
    assert texts == {(0.5, 0.5): "+1.0", (1.5, 0.5): "+2.0", (0.5, 1.5): "both lost", (1.5, 1.5): "x"}
    assert [text.get_text() for text in ax.texts if text.get_weight() == "bold"] == ["-4.0"]


@pytest.mark.parametrize(
    ("entry", "cell"),
    [
        (verdict(0.01, "BRN better"), Cell(1.0, ("BRN better", "", ""), True)),
        (verdict(0.01, "equivalent"), Cell(1.0, ("equivalent", "equivalent", ""))),
        (verdict(0.0, "identical by construction"), Cell(0.0, ("identical", "identical", ""))),
        (
            verdict(0.01, "BRN diverged", {"BN": 0, "BRN": 2}),
            Cell(1.0, ("BRN 2 of 6 diverged", "2 diverged", "2 div.")),
        ),
        (
            verdict(None, "both diverged", {"BN": 1, "BRN": 6}),
            Cell(np.nan, ("BN 1 of 6 diverged\nBRN 6 of 6 diverged", "7 diverged", "7 div.")),
        ),
    ],
)
def test_a_cell_says_the_verdict_in_a_word(entry, cell):
    cells = heat_maps.difference_cells([entry], ("r", "d"))
    assert repr(cells) == repr({(1, 0): cell})  # NaN is not equal to itself


@pytest.mark.parametrize(("inches", "form"), [(6, 0), (2, 1), (0.8, 2), (0.2, 2)])
def test_all_cells_write_the_longest_form_of_their_notes_that_fits(inches, form):
    notes = [("BRN better", "", ""), ("BN 1 of 6 diverged\nBRN 6 of 6 diverged", "7 diverged", "7 div.")]
    cells = {(1, i): Cell(1.0, notes[i]) for i in range(2)}
    ax = Figure(figsize=(inches, 4)).add_axes((0, 0, 1, 1))
    heat_maps.heat_map(ax, cells, heat_maps.difference_scale([1]), ("r", "d"), "{:+.1f}".format)
    assert [text.get_text() for text in ax.texts][1::2] == [note[form] for note in notes]


def test_accuracies_are_means_of_the_trials_that_finished():
    rows = [(1, None, 0, 0.9, "finished"), (1, None, 1, 0.1, "diverged"), (1, 0.5, 0, 0.8, "finished")]
    summary = pd.DataFrame(rows, columns=["r", "d", "seed", "final_test_accuracy", "outcome"])
    cells = heat_maps.accuracy_cells(summary, ("r", "d"))
    assert cells == {(1, None): Cell(90.0, ("1 of 2 diverged", "1 diverged", "1 div.")), (1, 0.5): Cell(80.0)}


def test_a_few_extreme_values_do_not_stretch_the_colours():
    scale = heat_maps.difference_scale([0.5, -1, 1, 1, 80])
    assert (scale.low, scale.high, scale.extend) == (-3, 3, "both")
    assert heat_maps.difference_scale([1.0, -2.0]).extend == "neither"
    assert heat_maps.difference_scale([np.nan]).high > 0
    accuracy = heat_maps.accuracy_scale([11, 97, 98, 98, 98.5])
    assert 90 < accuracy.low < 98
    assert (accuracy.high, accuracy.extend) == (98.5, "min")
    assert heat_maps.accuracy_scale([np.nan]).low == 0


def test_gains_are_blue_and_losses_red_and_better_accuracies_lighter():
    ax = Figure().subplots()
    cells = {(1, i): Cell(value) for i, value in enumerate((-2.0, 0.0, 2.0))}
    mesh = heat_maps.heat_map(ax, cells, heat_maps.difference_scale([-2, 0, 2]), ("r", "d"), "{:+.1f}".format)
    (red, _, blue), _, (red_of_gain, _, blue_of_gain) = (mesh.cmap(mesh.norm(value))[:3] for value in (-2, 0, 2))
    assert red > 2 * blue
    assert blue_of_gain > 2 * red_of_gain
    texts = [text for text in ax.texts if text.get_text()]
    assert [text.get_color() for text in texts] == ["white", "black", "white"], "read on dark and on light cells"
    mesh = heat_maps.heat_map(ax, cells, heat_maps.accuracy_scale([80, 90, 99]), ("r", "d"), "{:.1f}".format)
    assert mesh.get_clim() == (80, 99)
    assert sum(mesh.cmap(mesh.norm(99))[:3]) > sum(mesh.cmap(mesh.norm(80))[:3])


def test_colours_are_those_of_the_cells_that_differ_where_most_are_equal():
    scale = heat_maps.difference_scale([*[0] * 6, -0.33, 23, 38])
    assert (scale.low, scale.high, scale.extend) == (-38, 38, "neither")
    assert heat_maps.difference_scale([0, 0, 0]).high == 0.2
    accuracy = heat_maps.accuracy_scale([*[100] * 6, 99.67, 76.92, 61.67])
    assert (accuracy.low, accuracy.high, accuracy.extend) == (61.67, 100, "neither")
    assert heat_maps.accuracy_scale([100, 100]).low == pytest.approx(99.8)
