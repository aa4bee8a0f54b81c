from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from bnrenorm.analysis import intervals
from bnrenorm.analysis.plots import axes
from bnrenorm.analysis.plots.style import look


def table():
    rows = [(v, s, t, (0.1 if v == "BN" else 0.2) * t + s) for v in ("BN", "BRN") for s in (0, 2) for t in (1, 2, 3)]
    return pd.DataFrame(rows, columns=["variant", "seed", "step", "train_loss"])


def test_lines_are_means_and_few_seeds_have_a_line_each():
    ax = axes.curves(Figure().subplots(), table(), "train_loss")
    bn, brn = ax.get_lines()
    assert_allclose(bn.get_ydata(), [1.1, 1.2, 1.3])
    assert_allclose(brn.get_ydata(), [1.2, 1.4, 1.6])
    assert list(bn.get_xdata()) == [1, 2, 3]
    seeds, _ = ax.collections
    assert_allclose([line[:, 1] for line in seeds.get_segments()], [[0.1, 0.2, 0.3], [2.1, 2.2, 2.3]])


def test_from_six_seeds_on_a_band_is_the_interval_of_the_mean():
    values = np.array([0.5, 0.1, 0.4, 0.2, 0.9, 0.3, 0.3, 0.5])
    rows = pd.DataFrame({"variant": "BN", "seed": range(8), "step": 1, "train_loss": values})
    both = pd.concat([rows, rows.assign(step=2, train_loss=values + 1)])
    (band,) = axes.curves(Figure().subplots(), both, "train_loss").collections
    vertices = band.get_paths()[0].vertices
    low, high = (float(bound[0]) for bound in intervals.mean_intervals(values[:, None]))
    assert_allclose([vertices[:, 1].min(), vertices[:, 1].max()], [low, high + 1])
    assert low > values.min(), "not from minimum to maximum"


def test_curves_that_coincide_all_stay_visible():
    """A later variant lies on top and is narrower; colours differ."""
    bn, brn = axes.curves(Figure().subplots(), table(), "train_loss").get_lines()
    assert brn.get_linewidth() < bn.get_linewidth() / 1.5
    assert brn.get_zorder() > bn.get_zorder()
    assert brn.get_color() != bn.get_color()


def test_a_variants_line_seeds_and_band_have_its_colour():
    colours = ["#0072b2", "#d55e00"]
    few = axes.curves(Figure().subplots(), table(), "train_loss")
    one = table().query("seed == 0")
    many = pd.concat(one.assign(seed=seed, train_loss=one["train_loss"] + seed) for seed in range(6))
    bands = axes.curves(Figure().subplots(), many, "train_loss")
    for ax in (few, bands):
        assert [to_hex(line.get_color()) for line in ax.get_lines()] == colours
    assert [to_hex(seeds.get_colors()[0]) for seeds in few.collections] == colours
    assert [to_hex(band.get_facecolor()[0]) for band in bands.collections] == colours


@pytest.mark.parametrize("last", [3, 30_000])
def test_the_axis_ends_a_little_after_the_training(last):
    data = table().assign(step=lambda rows: rows["step"] * last / 3)
    begin, end = axes.curves(Figure().subplots(), data, "train_loss").get_xlim()
    assert begin == 0
    assert last < end < 1.1 * last


def test_the_last_value_of_a_line_is_neither_its_largest_nor_its_smallest():
    ax = Figure().subplots()
    ax.plot([1, 2, 3], [0.9, 0.1, 0.5], label="BN")
    assert axes.label_ends(ax, "test_loss").get_legend_handles_labels()[1] == ["BN: 0.5000 at the end"]


def test_the_legend_tells_the_last_values():
    ax = axes.label_ends(axes.curves(Figure().subplots(), table(), "train_loss"), "train_loss")
    assert ax.get_legend_handles_labels()[1] == [
        "BN: 1.3000 at the end",
        "BRN: 1.6000 at the end",
    ]


@pytest.mark.parametrize(
    ("image", "limits"),
    [
        (np.array([[0, 200]], np.uint8), (0, 255)), (np.array([[0.1, 0.9]]), (0, 1)), (np.array([[-2.0, 3.0]]), (-2, 3))
    ],
)  # fmt: skip
def test_grey_images_use_the_whole_scale(image, limits):
    assert axes.digit(Figure().subplots(), image, 5).images[0].get_clim() == limits


def test_colours_beyond_the_scale_are_not_clipped():
    figure = Figure()
    ax = axes.digit(figure.subplots(), np.array([[[-1.0, 0, 1], [3, 0, 1]]]), 5)
    figure.savefig(BytesIO())
    assert_allclose(ax.images[0].get_array(), [[[0, 0.25, 0.5], [1, 0.25, 0.5]]])


def test_a_digit_has_its_label():
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)
    ax = axes.digit(Figure().subplots(), image, 5)
    assert (ax.images[0].get_array() == image).all()
    assert ax.get_title() == "label 5"


@pytest.mark.parametrize(("last", "want"), [(50, [0, 20, 40]), (300, [0, 100, 200, 300]), (3, [0, 1, 2, 3])])
def test_epochs_are_round_numbers_at_the_axis(last, want):
    data = table().rename(columns={"step": "epoch"})
    ax = axes.lines(Figure().subplots(), data.assign(epoch=last * data["epoch"] / 3), "train_loss", "variant")
    assert [tick for tick in ax.get_xticks() if tick <= ax.get_xlim()[1]] == want


def test_lines_show_a_value_that_is_missing():
    data = table().rename(columns={"step": "epoch"}).assign(average=[np.nan, 0.5] * 6)
    ax = axes.lines(Figure().subplots(), data, "train_loss", "average")
    assert [line.get_label() for line in ax.get_lines()] == ["null", "0.5"]


def test_lines_over_epochs_are_means_by_any_column():
    data = table().rename(columns={"step": "epoch"})
    ax = axes.lines(Figure().subplots(), data, "train_loss", "seed")
    assert_allclose([line.get_ydata() for line in ax.get_lines()], [[0.15, 0.3, 0.45], [2.15, 2.3, 2.45]])
    assert ax.get_xlabel() == "epoch"


def test_lines_over_epochs_are_means_and_have_the_looks_of_their_values():
    rows = [(name, s, 1.0, value) for name in "ab" for s, value in enumerate((1.0, 2.0, 6.0))]
    data = pd.DataFrame(rows, columns=["variant", "seed", "epoch", "train_loss"])
    styles = {"b": look(0), "a": look(1)}
    a, b = axes.lines(Figure().subplots(), data, "train_loss", "variant", styles).get_lines()
    assert_allclose([a.get_ydata(), b.get_ydata()], [[3.0], [3.0]])
    assert [to_hex(line.get_color()) for line in (a, b)] == ["#d55e00", "#0072b2"]


def test_lines_over_steps():
    ax = axes.lines(Figure().subplots(), table(), "train_loss", "seed", over="step")
    assert ax.get_xlabel() == "step"
    assert list(ax.get_lines()[0].get_xdata()) == [1, 2, 3]


def test_falling_and_rising_epochs_are_marked():
    ax = axes.falls_and_rises(Figure().subplots(), np.arange(5), np.array([3.0, 2, 4, 1, 1]))
    falls, rises, _ = ax.get_lines()
    assert (falls.get_marker(), list(falls.get_xdata())) == ("v", [1, 3])
    assert (rises.get_marker(), list(rises.get_xdata())) == ("^", [2])
    assert [to_hex(line.get_color()) for line in (falls, rises)] == ["#0072b2", "#d55e00"]


def test_histograms_ignore_what_is_not_finite():
    ax = axes.histogram(Figure().subplots(), {"a": np.array([0.0, 1, np.nan, np.inf]), "b": np.full(3, np.nan)})
    assert sum(patch.get_data().values.sum() for patch in ax.patches) == 2
    assert ax.get_yscale() == "linear"
    assert axes.histogram(Figure().subplots(), {"a": np.arange(500.0)}).get_yscale() == "log"


def test_a_histogram_holds_nearly_all_values(rng):
    ax = axes.histogram(Figure().subplots(), {"a": rng.normal(size=1000), "b": rng.normal(size=10)})
    counts = [patch.get_data().values.sum() for patch in ax.patches]
    assert 998 <= counts[0] <= 1000
    assert counts[1] == 10


def test_a_histogram_of_rounding_errors_is_no_distribution_and_its_labels_have_no_offset():
    ax = axes.histogram(Figure().subplots(), {"gamma": 1 + 1e-6 * np.arange(30)})
    edges = ax.patches[0].get_data().edges
    assert edges[-1] - edges[0] >= 0.02
