"""Whole figures: what their panels show, where their axes end, and their PNG files."""

import numpy as np
import pandas as pd
import pytest

from bnrenorm.analysis.plots import pages


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


@pytest.mark.parametrize(("split", "factor", "lowest"), [("train", 1, 0.9), ("test", 2, 0)])
def test_a_grid_has_a_panel_a_setting_and_a_line_a_variant(as_figures, split, factor, lowest):
    loss = np.array([9, 0.5, 0.2, 0.01])
    figure = pages.over_grid(grid(loss), ["lr"], split, "a title")
    above, below = figure.axes[:2], figure.axes[2:]
    assert [ax.get_title() for ax in above] == ["lr 0.1", "lr 1.0"]
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
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0.1", "1.0"]
    assert len(figure.axes) == 2
    sizes = pd.concat([table.assign(**{"batch.size": size}) for size in (4, 32)])
    figure = pages.over_grid(sizes, ["batch.size", "lr"], "test", "a title")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["size 4", "size 32"]


def test_a_page_of_differences_has_accuracies_on_the_left(as_figures):
    verdicts = [{"a": "BN", "b": "BRN", "point": {"lr": lr}, "mean": 0.01, "low": 0.0, "high": 0.02} for lr in (1, 2)]
    summary = pd.DataFrame(
        [{"variant": v, "lr": lr, "final_test_accuracy": 0.9} for v in ("BN", "BRN") for lr in (1, 2) for _ in range(2)]
    )
    left, right = pages.differences(verdicts, summary, "a title").axes
    assert left.get_legend_handles_labels()[1] == ["BN", "BRN"]
    assert right.get_legend_handles_labels()[1] == ["BRN - BN"]


def test_pages_are_png_files_with_the_same_bytes_twice():
    table = grid(np.array([9, 0.5, 0.2, 0.1]))
    one, two = (pages.training_and_test(table, "loss", "Loss", (0, 4)) for _ in range(2))
    assert one.startswith(b"\x89PNG")
    assert one == two
    assert pages.digit(np.zeros((28, 28), np.uint8), 3).startswith(b"\x89PNG")
