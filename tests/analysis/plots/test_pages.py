"""Whole figures: what their panels show, where their axes end, and their PNG files."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager

from bnrenorm.analysis.plots import pages
from bnrenorm.errors import Hint


@pytest.fixture
def as_figures(monkeypatch):
    """The pages return Figures, not PNG files."""
    monkeypatch.setattr(pages, "png", lambda figure: figure)


def grid(loss):
    """Return curves of two variants at two learning rates: a record before training, and of three epochs."""
    rows = [
        {
            "variant": variant, "lr": lr, "seed": 0, "step": 10 * epoch, "epoch": float(epoch),
            "train_loss": loss[epoch], "train_accuracy": 0.9 + 0.01 * epoch,
            "test_loss": 2 * loss[epoch], "test_accuracy": 0.5 + 0.01 * epoch,
        }
        for variant in ("BN", "BRN")
        for lr in (0.1, 1.0)
        for epoch in range(4)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def verdict(mean, low=None, high=None, lr=1, pairs=6):
    """Return what the pages need of an entry of `verdicts.verdicts`."""
    return {
        "a": "BN",
        "b": "BRN",
        "point": {"lr": lr},
        "mean": mean,
        "low": low,
        "high": high,
        "pairs": pairs,
        "diverged": {},
    }


@pytest.mark.parametrize(("split", "factor", "lowest"), [("train", 1, 0.9), ("test", 2, 0)])
def test_a_grid_has_a_panel_a_setting_and_a_line_a_variant(as_figures, split, factor, lowest):
    loss = np.array([9, 0.5, 0.2, 0.01])
    figure = pages.over_grid(grid(loss), ["lr"], split, "a title")
    above, below = figure.axes[:2], figure.axes[2:]
    assert [ax.get_title() for ax in above] == ["lr 0.1", "lr 1"]
    for ax in above:
        assert [list(line.get_ydata()) for line in ax.get_lines()] == 2 * [list(factor * loss)]
    assert above[0].get_ylim() == (0, factor * 0.5)  # the first epoch's loss, not that of before
    assert below[0].get_ylim() == (lowest, 1)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["BN", "BRN"]


def test_the_loss_axis_does_not_end_below_what_most_come_to(as_figures):
    figure = pages.over_grid(grid(np.array([9, 0.5, 0.4, 0.4])), ["lr"], "train", "a title")
    assert figure.axes[0].get_ylim() == (0, 1.6)
    diverged = pages.over_grid(grid(np.array([9, np.nan, np.nan, np.nan])), ["lr"], "train", "a title")
    assert diverged.axes[0].get_ylim()[1] > 0


def test_a_page_of_curves_has_both_splits_on_one_scale(as_figures):
    figure = pages.training_and_test(grid(np.array([9, 0.5, 0.2, 0.1])), "loss", "a title", (0, 4))
    assert [ax.get_title() for ax in figure.axes] == ["training loss", "test loss"]
    assert {ax.get_ylim() for ax in figure.axes} == {(0, 4)}
    margins = [ax.get_position().bounds for ax in figure.axes]
    assert margins[0][0] > 0.04, "space for the tick labels"
    assert margins[1][0] + margins[1][2] < 1


def test_with_one_variant_the_lines_are_the_last_setting_and_the_panels_the_others(as_figures):
    table = grid(np.array([9, 0.5, 0.2, 0.1])).query("variant == 'BN'")
    figure = pages.over_grid(table, ["lr"], "test", "a title")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0.1", "1"]
    assert len(figure.axes) == 2
    sizes = pd.concat([table.assign(**{"batch.size": size}) for size in (4, 32)])
    figure = pages.over_grid(sizes, ["batch.size", "lr"], "test", "a title")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["size 4", "size 32"]


def test_a_page_of_differences_has_accuracies_on_the_left(as_figures):
    verdicts = [verdict(0.01, 0.0, 0.02, lr) for lr in (1, 2)]
    rows = [(variant, lr, seed, 0.9) for variant in ("BN", "BRN") for lr in (1, 2) for seed in range(6)]
    summary = pd.DataFrame(rows, columns=["variant", "lr", "seed", "final_test_accuracy"]).assign(outcome="finished")
    left, right = pages.differences(verdicts, summary, "a title").axes
    assert left.get_legend_handles_labels()[1] == ["BN", "BRN"]
    assert right.get_legend_handles_labels()[1] == ["BRN - BN"]
    assert left.get_title() == "mean and standard deviation over 6 seeds"
    assert right.get_title() == "paired by seed, with 95 % intervals"
    left, _ = pages.differences(verdicts, summary[summary["seed"] == 0], "a title").axes
    assert left.get_title() == "one seed"


@pytest.mark.parametrize(
    ("verdicts", "title"),
    [
        ([verdict(0.01, 0.0, 0.02), verdict(None)], "paired by seed, with 95 % intervals"),
        ([verdict(0.01, pairs=2), verdict(0.01, pairs=3)], "paired by seed, no intervals: 3 of the 6 seeds needed"),
        ([verdict(0.01, 0.0, 0.02), verdict(0.01)], "paired by seed, with 95 % intervals where there are 6 seeds"),
        ([verdict(None, pairs=0)], "no pairs of seeds that can be compared"),
    ],
)
def test_titles_promise_only_intervals_that_are_drawn(as_figures, verdicts, title):
    assert pages.ranking(verdicts, "BN", "mine").get_suptitle() == f"mine: {title}"
    summary = pd.DataFrame([("BN", 1, 0, 0.9)], columns=["variant", "lr", "seed", "final_test_accuracy"]).assign(
        outcome="finished"
    )
    assert pages.differences(verdicts, summary, "mine").axes[1].get_title() == title


def test_a_large_grid_shows_its_first_panels_and_says_so(as_figures):
    table = pd.concat([grid(np.ones(4)).assign(size=size) for size in range(13)])
    figure = pages.over_grid(table, ["size", "lr"], "test", "mine")
    assert len(figure.axes) == 2 * 24
    assert figure.get_suptitle() == "mine: the first 24 of 26 points of the grid"


@pytest.mark.parametrize("settings", [{}, {"text.usetex": True}, {"text.parse_math": False}, {"font.size": 40, "lines.linewidth": 9}, {"font.family": ["No Such Font"]}])  # fmt: skip
def test_the_users_settings_change_no_figure_and_are_kept(settings):
    table = grid(np.array([9, 0.5, 0.2, 0.1]))
    want = pages.training_and_test(table, "loss", "$Loss$", (0, 4))
    with matplotlib.rc_context(settings):
        before = dict(matplotlib.rcParams)
        assert pages.training_and_test(table, "loss", "$Loss$", (0, 4)) == want
        assert dict(matplotlib.rcParams) == before


def test_the_users_fonts_serve_for_what_ours_lacks():
    with matplotlib.rc_context({"font.family": ["cmr10"]}), pages.own_settings():
        assert matplotlib.rcParams["font.family"][:2] == ["DejaVu Sans", "cmr10"]


def test_a_character_that_no_font_has_does_not_stop_a_figure(monkeypatch):
    monkeypatch.setattr(pages.fonts, "FAMILIES", ())
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    monkeypatch.setattr(pages.fonts, "_numbers", {})
    with pytest.warns(Hint, match='"日本" as'):
        assert pages.training_and_test(grid(np.ones(4)), "loss", "日本", (0, 4)).startswith(b"\x89PNG")


def test_pages_are_png_files_with_the_same_bytes_twice():
    table = grid(np.array([9, 0.5, 0.2, 0.1]))
    one, two = (pages.training_and_test(table, "loss", "Loss", (0, 4)) for _ in range(2))
    assert one.startswith(b"\x89PNG")
    assert one == two
    assert pages.digit(np.zeros((28, 28), np.uint8), 3).startswith(b"\x89PNG")
