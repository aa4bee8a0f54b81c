"""Texts of figures: in the room that there is, and in all figures of a run none over another or beyond the edge."""

from dataclasses import replace
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from bnrenorm.analysis import outputs
from bnrenorm.analysis.plots import style, texts
from tests.analysis.report.runs import results

LONG = """
name: long
variants:
  batch normalisation of the first paper: {norm: {kind: batch}}
  "batch renormalisation, r_max 3, d_max 5": {norm: {kind: renorm, r_max: 3, d_max: 5, warmup: 2}}
  and layer normalisation, for comparison: {norm: {kind: layer}}
training: {steps: 8}
seeds: 6
"""
MANY = "".join(
    f"  a variant of batch normalisation, number {i}: {{norm: {{kind: batch, decay: 0.{i}}}}}\n" for i in "5678"
)
RATES = "grid: {training.optimizer.lr: [0.001, 0.01, 0.1, 1, 10]}\n"
PARAMETERS = {"linears/0/W": (16, 784), "linears/1/W": (10, 16), "norms/0/affine/gamma": (16,)}


def drawn_texts(figure):
    """Return the texts that a figure shows, with their boxes in pixels."""
    shown, hidden = [], set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = {label for tick in (*axis.majorTicks, *axis.minorTicks) for label in (tick.label1, tick.label2)}
            in_view = axis._update_ticks() if ax.get_visible() else []
            hidden |= labels - {label for tick in in_view for label in (tick.label1, tick.label2)}
    for text in figure.findobj(Text):
        is_shown = text.get_visible() and (text.axes is None or text.axes.get_visible())
        if is_shown and text not in hidden and text.get_text().strip():
            shown.append((text.get_text(), text.get_rotation(), text.get_window_extent()))
    return shown


def misplaced(figure):
    """Return the texts beyond the edge of a figure, and the pairs of which one lies over the other."""
    with style.own_settings():  # on which ticks depend, too
        figure.dpi = matplotlib.rcParams["savefig.dpi"]
        figure.draw_without_rendering()
        shown = drawn_texts(figure)
    edge = figure.bbox.padded(1)
    outside = [text for text, _, box in shown if box.xmin < edge.xmin or box.xmax > edge.xmax or
               box.ymin < edge.ymin or box.ymax > edge.ymax]  # fmt: skip
    over = []
    for (one, turned, box), (other, also_turned, its_box) in combinations(shown, 2):
        width = min(box.xmax, its_box.xmax) - max(box.xmin, its_box.xmin)
        height = min(box.ymax, its_box.ymax) - max(box.ymin, its_box.ymin)
        if width > 2 and height > 3 and not (turned % 90 or also_turned % 90):  # boxes of slanted texts are larger
            over.append((one, other))
    return outside, over


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        LONG.replace("training:", f"{MANY}training:"),
        LONG + RATES,
        LONG + "grid: {training.optimizer.lr: [0.1, 1], training.batch.size: [2, 4, 8, 16]}\n",
    ],
    ids=["few", "many", "axis", "axes"],
)
@pytest.mark.slow
def test_no_text_of_a_runs_figures_lies_over_another_or_beyond_the_edge(text):
    made = results(text, diverged=[("batch normalisation of the first paper", seed) for seed in (1, 2, 3)])
    rng = np.random.default_rng(0)
    trials = [
        (trial, replace(result, parameters={name: rng.normal(size=shape) for name, shape in PARAMETERS.items()}))
        for trial, result in made.trials
    ]
    for name, draw in outputs.figures(replace(made, trials=trials), "effect").items():
        assert (name, *misplaced(draw())) == (name, [], [])


def named(labels, width=4):
    """Return the labels of an axis of that many inches."""
    ax = Figure(figsize=(width, 3)).subplots()
    texts.name_points(ax, labels)
    return ax.get_xticklabels()


def test_labels_that_would_touch_stand_in_several_lines_or_are_slanted():
    assert [label.get_text() for label in named(["1", "2\n1 diverged"])] == ["1", "2\n1 diverged"]
    assert named(["some few labels", "others"] * 2)[0].get_text() == "some few\nlabels"
    assert {label.get_rotation() for label in named(["micro-batches"] * 9)} == {35}


@pytest.mark.parametrize("number", ["4", "16"])
def test_no_number_stands_alone_in_its_line(number):
    labels = named([f"micro-batches of {number}\n1 diverged"] * 3, width=5.5)
    assert labels[0].get_text() == f"micro-batches\nof {number}\n1 diverged"


def test_labels_are_slanted_where_a_word_is_longer_than_a_line():
    room = texts.room_for_points(Figure(figsize=(4, 3)).subplots(), 3)
    for length, rotation in ((room, 0), (room + 1, 35)):
        assert named(["a" * length + "\n" + "b" * room] * 3)[0].get_rotation() == rotation


def test_a_slanted_label_is_short_and_ends_below_its_point():
    label = named(["a" * 99] * 9)[4]
    assert len(label.get_text()) == 28
    label.figure.draw_without_rendering()
    point, _ = label.get_transform().transform(label.get_position())
    assert abs(label.get_window_extent().x1 - point) < 12  # pixels; it is some 140 long


def test_of_a_thousand_points_as_many_are_named_as_there_is_room_for():
    ax = Figure(figsize=(8, 4)).subplots()
    texts.name_points(ax, [f"rate {i}" for i in range(1000)])
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert 20 < len(names) < 60
    assert names == [f"rate {place:.0f}" for place in ax.get_xticks()]


def test_headings_of_many_axes_are_cut_into_lines():
    heading = texts.name_point(["batches", "norm.decay", "warm-up"], ("of two classes", 0.999, "short"))
    assert heading == "batches: of two classes, decay\n0.999, warm-up: short"


def test_a_heading_is_cut_where_it_has_spaces_alone_and_keeps_its_lines():
    assert texts.heading("one\ntwo three-four-five", 10) == "one\ntwo\nthree-four-five"


@pytest.mark.parametrize("width", [4, 12])
def test_a_title_takes_the_width_of_its_figure(width):
    with style.own_settings():
        figure = Figure(figsize=(width, 3))
        texts.title_figure(figure, "some words of a title " * 12)
        figure.draw_without_rendering()
    assert 0.8 < figure._suptitle.get_window_extent().width / figure.bbox.width < 1


@pytest.mark.parametrize(("width", "columns"), [(4, 1), (10, 3)])
@pytest.mark.parametrize(
    "labels",
    [["1", "2", "3"], ["one of\nseveral\nlines"] * 2, ["micro-batches of a normalisation"] * 9],
    ids=["short", "lines", "slanted"],
)
def test_a_legend_below_is_close_to_the_axis_name_and_as_wide_as_there_is_room_for(width, columns, labels):
    with style.own_settings():
        figure = Figure(figsize=(width, 4))
        ax = figure.subplots()
        for i in range(6):
            ax.plot([0, 1], [i, i + 1], label=f"a variant with a name, {i}")
        ax.set(xlabel="training step")
        texts.name_points(ax, labels)
        texts.legend_below(ax, columns=3)
        figure.draw_without_rendering()
    box, panel = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert 0 < ax.xaxis.label.get_window_extent().y0 - box.y1 < 15  # pixels
    assert abs(box.x0 + box.x1 - panel.x0 - panel.x1) < 2
    assert box.x0 > 0
    assert box.x1 < figure.bbox.width
    assert len({round(text.get_window_extent().x0) for text in ax.get_legend().get_texts()}) == columns


@pytest.mark.parametrize(
    ("label", "count", "side", "columns"),
    [
        ("a variant, no. 1", 5, "below", 5),
        ("a variant, no. 1", 6, "right", 1),
        ("a variant, no. 1", 20, "right", 2),
        ("a" * 60, 6, "below", 2),
    ],
)
def test_a_figures_legend_is_below_it_or_many_short_entries_at_its_right(label, count, side, columns):
    with style.own_settings():
        figure = Figure(figsize=(10, 4))
        ax = figure.subplots()
        lines = [ax.plot([0, 1], [0, i])[0] for i in range(count)]
        texts.legend_of_figure(figure, [(label, line) for line in lines], "batches")
        figure.draw_without_rendering()
    (legend,) = figure.legends
    box, panel = legend.get_window_extent(), ax.get_window_extent()
    assert box.x0 > panel.x1 if side == "right" else box.y1 < panel.y0
    assert len({round(text.get_window_extent().x0) for text in legend.get_texts()}) == columns
    assert (legend.get_title().get_text(), len(legend.get_texts())) == ("batches", count)
