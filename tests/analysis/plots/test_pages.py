"""Whole figures: what their panels show, where their axes end, and their PNG files."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.colors import to_hex

from bnrenorm.analysis.plots import pages, style
from bnrenorm.errors import Hint


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


def one_point(loss):
    return grid(loss).query("lr == 1")


@pytest.mark.parametrize(("split", "factor"), [("train", 1), ("test", 2)])
def test_a_grid_has_a_panel_a_setting_and_a_line_a_variant(split, factor):
    loss = np.array([9, 0.5, 0.2, 0.01])
    figure = pages.over_grid(grid(loss), ["lr"], split, "a title", "article")
    above, below = figure.axes[:2], figure.axes[2:]
    assert [ax.get_title() for ax in above] == ["lr 0.1", "lr 1"]
    for ax in above:
        assert [list(line.get_ydata()) for line in ax.get_lines()] == 2 * [list(factor * loss)]
    assert {ax.get_ylim() for ax in above} == {(0, 4)}
    assert {ax.get_ylim() for ax in below} == {(0, 100)}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["BN", "BRN"]


def test_panels_of_trainings_of_different_lengths_each_show_all_of_theirs():
    table = grid(np.array([9, 0.5, 0.2, 0.01]))
    longer = table["lr"] == 0.1
    table.loc[longer, ["step", "epoch"]] *= 100
    figure = pages.over_grid(table, ["lr"], "test", "a title")
    ends = [(ax.get_xlim(), max(line.get_xdata().max() for line in ax.get_lines())) for ax in figure.axes]
    assert [last for _, last in ends] == [300, 3] * 2
    assert all(begin == 0 and last < end < 1.1 * last for (begin, end), last in ends)
    assert {ax.get_xlabel() for ax in figure.axes[2:]} == {"epoch"}


@pytest.mark.parametrize(("epochs", "unit"), [(0.3, "step"), (1.0, "epoch")])
def test_a_grid_is_drawn_over_the_steps_if_there_is_less_than_an_epoch(epochs, unit):
    table = grid(np.array([9, 0.5, 0.2, 0.01]))
    table.loc[table["lr"] == 0.1, "epoch"] *= 0.01
    table.loc[table["lr"] == 1.0, "epoch"] *= epochs / 3
    figure = pages.over_grid(table, ["lr"], "test", "a title")
    assert {ax.get_xlabel() for ax in figure.axes[2:]} == {unit}


def test_a_page_of_curves_has_both_splits_on_one_scale():
    figure = pages.training_and_test(one_point(np.array([9, 0.5, 0.2, 0.1])), "loss", "a title", "article")
    assert [ax.get_title() for ax in figure.axes] == ["training loss", "test loss"]
    assert {ax.get_ylim() for ax in figure.axes} == {(0, 4)}
    accuracy = pages.training_and_test(one_point(np.ones(4)), "accuracy", "a title")
    assert accuracy.axes[0].get_ylim() == accuracy.axes[1].get_ylim() != (0, 100)
    assert accuracy.axes[0].get_ylabel() == "accuracy (%)"


def test_the_two_splits_are_not_exchanged():
    table = one_point(np.array([9, 0.5, 0.2, 0.1]))
    for value, unit, ends in (("loss", "nats", ("0.1000", "0.2000")), ("accuracy", "accuracy (%)", ("93.00", "53.00"))):
        figure = pages.training_and_test(table, value, "a title", loss="nats")
        for ax, name, end in zip(figure.axes, ("training", "test"), ends, strict=True):
            assert ax.get_title() == f"{name} {value}"
            assert [line.get_label() for line in ax.get_lines()] == [f"{v}: {end} at the end" for v in ("BN", "BRN")]
        assert figure.axes[0].get_ylabel() == unit


def test_a_grids_panels_name_their_split_and_share_their_axes():
    table = grid(np.array([9, 0.5, 0.2, 0.01]))
    table.loc[table["lr"] == 1, "train_accuracy"] -= 0.3
    figure = pages.over_grid(table, ["lr"], "train", "a title")
    losses, accuracies = figure.axes[:2], figure.axes[2:]
    assert [ax.get_ylabel() for ax in figure.axes[::2]] == ["training loss", "training accuracy (%)"]
    assert losses[0].get_ylim() == losses[1].get_ylim()
    assert accuracies[0].get_ylim() == accuracies[1].get_ylim()
    ends = [line.get_ydata()[-1] for ax in accuracies for line in ax.get_lines()]
    np.testing.assert_allclose(ends, [93, 93, 63, 63])
    low, high = accuracies[0].get_ylim()
    assert low < 63 < 93 < high
    colours = [[to_hex(line.get_color()) for line in ax.get_lines()] for ax in figure.axes]
    assert colours == [["#0072b2", "#d55e00"]] * 4


def draw(figure):
    """Draw a figure, and let it be measured in the dots of its file: fewer ones hold fewer letters."""
    style.png(figure)
    figure.dpi = style._settings()["savefig.dpi"]


def test_legends_are_off_the_data():
    figure = pages.training_and_test(one_point(np.array([9, 0.5, 0.2, 0.1])), "loss", "a title")
    draw(figure)
    for ax in figure.axes:
        legend = ax.get_legend().get_window_extent()
        assert legend.y1 < ax.get_window_extent().y0
        assert legend.y0 >= 0
        assert not legend.overlaps(ax.xaxis.label.get_window_extent())


def test_many_variants_leave_the_panels_their_height():
    """Their legends are as long as there are lines, and what lies below a panel is named at its edge."""
    table = one_point(np.array([9, 0.5, 0.2, 0.1]))
    few = pages.training_and_test(table, "accuracy", "a title")
    many = pd.concat(
        [table.query("variant == 'BN'").assign(variant=f"a variant with a long name {i}") for i in range(14)]
    )
    many["test_accuracy"] = many["train_accuracy"].where(~many["variant"].str.endswith("13"), 0.1)
    figure = pages.training_and_test(many, "accuracy", "a title")
    for made in (few, figure):
        draw(made)
    height, usual = (made.axes[0].get_window_extent().height for made in (figure, few))
    assert height >= 0.9 * usual
    for ax in figure.axes:
        assert ax.get_legend().get_window_extent().y0 >= 0
    assert [len(ax.texts) for ax in figure.axes] == [0, 1]
    assert figure.axes[1].texts[0].get_text().startswith("↓ a variant")
    assert not few.axes[0].texts


def test_with_one_variant_the_lines_are_the_last_setting_and_the_panels_the_others():
    table = grid(np.array([9, 0.5, 0.2, 0.1])).query("variant == 'BN'")
    figure = pages.over_grid(table, ["lr"], "test", "a title")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0.1", "1"]
    assert len(figure.axes) == 2
    sizes = pd.concat([table.assign(**{"batch.size": size}) for size in (4, 32)])
    sizes = sizes[["variant", "batch.size", *sizes.columns[1:-1]]]
    figure = pages.over_grid(sizes, ["batch.size", "lr"], "test", "a title")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["size 4", "size 32"]


def test_a_variant_without_results_at_some_point_changes_no_look_and_every_line_is_named():
    """As after a worker that was lost."""
    table = grid(np.array([9, 0.5, 0.2, 0.1]))
    table = pd.concat([table, table[table["variant"] == "BN"].assign(variant="LN")])
    kept = table[(table["variant"] != "BN") | (table["lr"] == 0.1)]
    kept = kept[(kept["variant"] != "LN") | (kept["lr"] == 1)]
    figure = pages.over_grid(kept, ["lr"], "test", "a title")
    (legend,) = figure.legends
    named = {text.get_text(): line.get_color() for text, line in zip(legend.texts, legend.get_lines(), strict=True)}
    assert list(named) == ["BN", "BRN", "LN"]
    shown = [{line.get_label(): line.get_color() for line in ax.get_lines()} for ax in figure.axes[2:]]
    assert [list(panel) for panel in shown] == [["BN", "BRN"], ["BRN", "LN"]]
    assert all(panel.items() <= named.items() for panel in shown)


@pytest.mark.parametrize("null", [None, np.nan])
def test_null_has_its_panel(null):
    table = grid(np.array([9, 0.5, 0.2, 0.1]))
    table["lr"] = table["lr"].astype(object).where(table["lr"] == 1, null)
    figure = pages.over_grid(table, ["lr"], "test", "a title")
    assert [ax.get_title() for ax in figure.axes[:2]] == ["lr null", "lr 1"]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (4, 4), (8, 4), (9, 5), (24, 6)])
def test_panels_of_one_axis_fill_rows(count, columns):
    assert pages.count_columns([((i,), None) for i in range(count)]) == columns


@pytest.mark.parametrize("sizes", [3, 13])
def test_a_large_grid_has_rows_of_panels_on_a_page_of_sane_size(sizes):
    table = pd.concat([grid(np.ones(4)).assign(size=size) for size in range(sizes)])
    table = table[["variant", "size", *table.columns[1:-1]]]
    figure = pages.over_grid(table, ["size", "lr"], "test", "mine")
    assert sum(ax.get_visible() for ax in figure.axes) == 2 * min(24, 2 * sizes)
    assert figure.get_suptitle() == (f"mine{'' if sizes == 3 else ': the first 24 of 26 panels'} (one seed)")
    assert max(figure.get_size_inches()) < 16


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ([4], "seed 4"),
        ([0, 1], "mean of 2 seeds, thin: single seeds"),
        (range(6), "mean of 6 seeds, band: 95 % interval at each step"),
    ],
)
def test_titles_name_the_band(seeds, words):
    assert pages.spread_of(pd.DataFrame({"seed": list(seeds) * 2})) == words


def test_titles_say_where_seeds_diverged_and_where_they_are_alike():
    table = pd.concat(
        [one_point(np.array([9, 0.5, 0.2, 0.1])).assign(seed=seed) for seed in range(6)], ignore_index=True
    )
    assert pages.spread_of(table) == "all 6 seeds are alike"
    assert pages.spread_of(table.assign(train_loss=table["train_loss"] + table["seed"])).startswith("mean of 6")
    table["test_accuracy"] += 0.01 * table["seed"]
    assert pages.spread_of(table) == "mean of 6 seeds, band: 95 % interval at each step"
    table.loc[table.index[-1], "test_accuracy"] = np.nan
    assert pages.spread_of(table) == "mean of up to 6 seeds, band: 95 % interval at each step"
    assert pages.means_of(table.rename(columns={"test_accuracy": "final_test_accuracy"})) == "mean of up to 6 seeds"


@pytest.mark.parametrize("settings", [{}, {"text.usetex": True}, {"text.parse_math": False}, {"font.size": 40, "lines.linewidth": 9}, {"font.family": ["No Such Font"]}])  # fmt: skip
def test_the_users_settings_change_no_figure_and_are_kept(settings):
    table = one_point(np.array([9, 0.5, 0.2, 0.1]))
    want = style.png(pages.training_and_test(table, "loss", "$Loss$"))
    with matplotlib.rc_context(settings):
        before = dict(matplotlib.rcParams)
        assert style.png(pages.training_and_test(table, "loss", "$Loss$")) == want
        assert dict(matplotlib.rcParams) == before


def test_the_users_fonts_serve_for_what_ours_lacks():
    with matplotlib.rc_context({"font.family": ["cmr10"]}), style.own_settings():
        assert matplotlib.rcParams["font.family"][:2] == ["DejaVu Sans", "cmr10"]


def test_a_character_that_no_font_has_does_not_stop_a_figure(monkeypatch):
    monkeypatch.setattr(style.fonts, "FAMILIES", ())
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    monkeypatch.setattr(style.fonts, "_numbers", {})
    with pytest.warns(Hint, match='"日本" as'):
        assert style.png(pages.training_and_test(one_point(np.ones(4)), "loss", "日本")).startswith(b"\x89PNG")


def test_pages_are_files_with_the_same_bytes_twice():
    table = one_point(np.array([9, 0.5, 0.2, 0.1]))
    for render, begin in ((style.png, b"\x89PNG"), (style.svg, b"<?xml")):
        one, two = (render(pages.training_and_test(table, "loss", "Loss")) for _ in range(2))
        assert one.startswith(begin)
        assert one == two
    assert pages.digit(np.zeros((28, 28), np.uint8), 3).startswith(b"\x89PNG")
