"""Figures as pages: what their panels show, and where their axes end."""

import numpy as np
import pandas as pd
import pytest

from bnrenorm.analysis.plots import pages


@pytest.fixture
def pages(monkeypatch):
    """Figures themselves, where their PNG files are asked for."""
    monkeypatch.setattr(pages, "png", lambda figure: figure)


def grid(loss):
    """Curves of two variants at two learning rates: three epochs, before which a record was made."""
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
def test_a_grid_has_a_panel_a_setting_and_a_line_a_variant(pages, split, factor, lowest):
    loss = np.array([9, 0.5, 0.2, 0.01])
    found = pages.over_grid(grid(loss), ["lr"], split, "a title")
    above, below = found.axes[:2], found.axes[2:]
    assert [ax.get_title() for ax in above] == ["lr 0.1", "lr 1.0"]
    for ax in above:
        assert [list(line.get_ydata()) for line in ax.get_lines()] == 2 * [list(factor * loss)]
    assert above[0].get_ylim() == (0, factor * 0.5)  # the first epoch's loss, not that of before
    assert below[0].get_ylim() == (lowest, 1)
    assert [text.get_text() for text in found.legends[0].get_texts()] == ["BN", "BRN"]


def test_the_loss_axis_does_not_end_below_what_most_come_to(pages):
    found = pages.over_grid(grid(np.array([9, 0.5, 0.4, 0.4])), ["lr"], "train", "a title")
    assert found.axes[0].get_ylim() == (0, 1.6)
    diverged = pages.over_grid(grid(np.array([9, np.nan, np.nan, np.nan])), ["lr"], "train", "a title")
    assert diverged.axes[0].get_ylim()[1] > 0


def test_a_page_of_curves_has_both_splits_on_one_scale(pages):
    found = pages.training_and_test(grid(np.array([9, 0.5, 0.2, 0.1])), "loss", "a title", (0, 4))
    assert [ax.get_title() for ax in found.axes] == ["training loss", "test loss"]
    assert {ax.get_ylim() for ax in found.axes} == {(0, 4)}
    margins = [ax.get_position().bounds for ax in found.axes]
    assert margins[0][0] > 0.04, "room for the numbers"
    assert margins[1][0] + margins[1][2] < 1
