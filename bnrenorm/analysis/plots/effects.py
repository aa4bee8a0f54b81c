"""The figures that show the effect: what is compared, with its interval and the zone of equivalence."""

import math
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bnrenorm.analysis import stats
from bnrenorm.analysis.plots import axes, gains, heat_maps, limits
from bnrenorm.analysis.plots.limits import AxesChoice, bands
from bnrenorm.analysis.plots.names import cell_key, minus, plain
from bnrenorm.analysis.plots.pages import (
    count_columns,
    legend_entries,
    means_of,
    split_panels,
    spread_of,
)
from bnrenorm.analysis.plots.style import own_settings
from bnrenorm.analysis.plots.texts import heading, legend_below, legend_of_figure, name_point, title_figure
from bnrenorm.analysis.verdicts import Verdict, few_pairs, is_one_measurement
from bnrenorm.numbers import number

_LINES = 6  # pairs of variants in a panel of differences
_TITLE = 11  # characters of a panel's title per inch


@own_settings()
def by_steps(
    table: pd.DataFrame,
    verdicts: list[Verdict],
    title: str,
    choice: AxesChoice = "effect",
    judged: str = "at the end",
) -> Figure:
    """Draw what is compared: test accuracy by step, paired difference by step, and difference by seed, as judged.

    table: `tables.curves` without a grid, of few variants; verdicts: `verdicts.verdicts`, on the weights `judged`.
    """
    figure = Figure(figsize=(12, 4.8))
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 0.5 + 0.2 * len(verdicts)))
    axes.curves(left, table, "test_accuracy").set(title="test accuracy", ylabel="accuracy (%)")
    limits.set_limits([left], table, ["test_accuracy"], choice)
    styles = gains.pair_looks(verdicts, table["variant"])
    gains.by_step(middle, table, verdicts, styles).set_title(f"difference: {spread_of(table)}")
    gains.by_seed(right, verdicts, styles).set_title(f"{judged}, a dot a seed")
    axes.label_ends(left, "test_accuracy")
    for ax in (left, middle):
        legend_below(ax)
    if choice == "effect":
        at_the_end = [verdict["differences"] for verdict in verdicts]
        _span_what_it_comes_to([middle, right], verdicts[0]["margin"], at_the_end)
    title_figure(figure, f"{title}: {pairing(verdicts)}")
    return figure


def _span_what_it_comes_to(panels: list[Any], margin: float, at_the_end: list[list[float]]) -> None:
    """End the y axes of differences so that those of the second half of the training, and all at the end, are seen.

    Means of the first half are seen, and their bands, above or below, where that at most doubles what an axis spans.
    """
    values = [100 * np.array([-margin, margin]), *(100 * np.array(end) for end in at_the_end)]
    lines = [np.asarray(line.get_ydata(), float) for ax in panels for line in ax.get_lines()]
    values += [*map(bands, panels), *(line[len(line) // 2 :] for line in lines)]
    low, high = bottom, top = _extent(values)
    for early in (lines, [*lines, *(bands(ax, since=0) for ax in panels)]):
        lowest, highest = _extent([*values, *early])
        bottom = lowest if high - lowest <= 2 * (high - low) else bottom
        top = highest if highest - low <= 2 * (high - low) else top
    beyond = 0.06 * (top - bottom)
    for ax in panels:
        ax.set_ylim(bottom - beyond, top + beyond)


def _extent(values: list[np.ndarray]) -> tuple[float, float]:
    pooled = np.concatenate(values)
    pooled = pooled[np.isfinite(pooled)]
    return float(pooled.min()), float(pooled.max())


@own_settings()
def over_axis(verdicts: list[Verdict], summary: pd.DataFrame, key: str, title: str) -> Figure:
    """Draw a grid of one axis: accuracies on the left, and on the right the paired differences, if there are any."""
    figure = Figure(figsize=(12 if verdicts else 7, 5.4))
    left, *others = np.atleast_1d(figure.subplots(1, 1 + bool(verdicts)))
    gains.accuracies(left, summary, [key]).set_title(_means_and_intervals(summary))
    if len(set(summary["variant"])) == 1:
        gains.write_means(left)
    else:
        limits.focus(left)
    verdicts, title = _few_pairs(verdicts, title)
    for ax in others:
        at_key: list[Verdict] = [{**verdict, "point": {key: verdict["point"][key]}} for verdict in verdicts]
        gains.differences(ax, at_key, gains.pair_looks(verdicts, summary["variant"])).set_title(pairing(verdicts))
        limits.widen([ax], verdicts)
    for ax in (left, *others):
        legend_below(ax, columns=3)
    title_figure(figure, title)
    return figure


@own_settings()
def over_axes(verdicts: list[Verdict], summary: pd.DataFrame, keys: list[str], title: str) -> Figure:
    """Draw a grid of two axes or more as heat maps of the last two, a panel per pair of variants and other values.

    With one variant the cells are accuracies, else paired differences. At most 24 panels are drawn.
    """
    *others, row, column = keys
    if verdicts:
        pairs: Any = pd.DataFrame([{"pair": i, **verdict["point"]} for i, verdict in enumerate(verdicts)])
        pairs["name"] = [(verdict["b"], verdict["a"]) for verdict in verdicts]
        panels, title = split_panels(pairs, ["name", *others], title)
        maps = [heat_maps.difference_cells([verdicts[i] for i in rows["pair"]], (row, column)) for _, rows in panels]
        scale = heat_maps.difference_scale([cell.value for cells in maps for cell in cells.values()])
        name, write = "difference (percentage points)", partial(number, style="+.2f")
        title = f"{title}: {pairing(verdicts, drawn_as='colours')}"
        title += (
            ", bold where one is better" if any(cell.is_decided for cells in maps for cell in cells.values()) else ""
        )
    else:
        panels, title = split_panels(summary, others, title)
        maps = [heat_maps.accuracy_cells(rows, (row, column)) for _, rows in panels]
        scale = heat_maps.accuracy_scale([cell.value for cells in maps for cell in cells.values()])
        name, write = "final test accuracy (%)", partial(number, style=".2f")
        title = f"{title}: {means_of(summary)}"
    columns = min(3, len(panels)) if len(panels) != 4 else 2
    bands = math.ceil(len(panels) / columns)
    rows, across = ({key[i] for cells in maps for key in cells} for i in (0, 1))
    width = min(13.5 / columns, max(2.8, 0.95 * len(across) + 0.6) + heat_maps.labels_width(rows))
    height = min(max(4.5, 13.5 / bands), 0.55 * len(rows) + 0.8)
    figure = Figure(figsize=(max(6.5, width * columns + 1.2), height * bands + 0.6))
    grid = figure.subplots(bands, columns, squeeze=False)
    for ax in grid.flat[len(panels) :]:
        ax.set_visible(False)
    drawn = list(grid.flat)[: len(panels)]
    for ax, cells, (values, _) in zip(drawn, maps, panels, strict=True):
        mesh = heat_maps.heat_map(ax, cells, scale, (row, column), write)
        pair = [minus(*values[0]), name_point(others, values[1:])] if verdicts else []
        parts = pair or [name_point(others, values)]
        ax.set_title(heading(", ".join(filter(None, parts)), int(_TITLE * width)))
    figure.colorbar(mesh, ax=drawn, label=name, extend=scale.extend, fraction=0.04, aspect=30)
    title_figure(figure, title)
    return figure


@own_settings()
def ranking(verdicts: list[Verdict], base: str, title: str) -> Figure:
    """Draw the gain of each variant on `base`, the best on top (`gains.ranking`)."""
    figure = Figure(figsize=(8, max(3.5, 0.5 * len(verdicts) + 1.5)))
    ax = figure.subplots()
    gains.ranking(ax, verdicts, base)
    legend_below(ax)
    title_figure(figure, f"{title}: {pairing(verdicts)}")
    return figure


@own_settings()
def differences_by_step(table: pd.DataFrame, verdicts: list[Verdict], keys: list[str], title: str) -> Figure:
    """Draw the paired differences in test accuracy by step, a panel per grid point, or per pair without a grid.

    table: `tables.curves`; keys: its grid columns. Of more than six pairs, those with the first variant are drawn.
    """
    if keys:
        verdicts, title = _few_pairs(verdicts, title)
    panel_keys = [key for key in keys if len(set(table[key])) > 1]
    if keys:
        panels, title = split_panels(table, panel_keys, title)
        shown = [(name_point(panel_keys, cell), rows, _at(verdicts, panel_keys, cell)) for cell, rows in panels]
        columns = count_columns(panels)
    else:
        shown = [(heading(minus(verdict["b"], verdict["a"])), table, [verdict]) for verdict in verdicts]
        columns = min(4, len(shown))
    bands = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(max(6.0, 2.5 * columns + 1.8), 2.5 * bands + 0.9))
    have_one_length = len({rows["step"].to_numpy().max() for _, rows, _ in shown}) == 1
    grid = figure.subplots(bands, columns, sharex=have_one_length, sharey=True, squeeze=False)
    for ax in grid.flat[len(shown) :]:
        ax.set_visible(False)
    panels_drawn = list(grid.flat)[: len(shown)]
    styles = gains.pair_looks(verdicts, table["variant"])
    for i, (ax, (name, rows, of_point)) in enumerate(zip(panels_drawn, shown, strict=True)):
        gains.by_step(ax, rows, of_point, styles).set(ylabel="" if i % columns else "difference (points)")
        ax.set_title(name, fontsize="medium")
        is_lowest = i + columns >= len(shown)
        ax.tick_params(labelbottom=is_lowest or not have_one_length)
        ax.set_xlabel("step" if is_lowest else "")
    _span_what_it_comes_to(panels_drawn, verdicts[0]["margin"], [])
    limits.widen(panels_drawn, verdicts)
    entries = legend_entries(panels_drawn)
    legend_of_figure(figure, entries if keys else entries[:1])  # without a grid the zone alone
    title_figure(figure, f"{title}: differences in test accuracy, {spread_of(table)}")
    return figure


def _few_pairs(verdicts: list[Verdict], title: str) -> tuple[list[Verdict], str]:
    """Return the verdicts to draw in one panel, of more than six pairs those with the first variant, and the title."""
    few, base = few_pairs(verdicts, _LINES)
    return few, f"{title}, against {plain(base)}" if base else title


def _at(verdicts: list[Verdict], keys: list[str], cell: Any) -> list[Verdict]:
    """Return the verdicts at the values `cell` of the axes `keys`."""
    want = cell_key(cell)
    return [verdict for verdict in verdicts if cell_key(verdict["point"][key] for key in keys) == want]


def pairing(verdicts: list[Verdict], drawn_as: Literal["bars", "colours"] = "bars") -> str:
    """Say what the drawn differences of `verdicts.verdicts` are: which of them have intervals, or why none has.

    drawn_as: "bars" show the intervals, "colours" the means alone.
    """
    drawn = [verdict for verdict in verdicts if verdict["mean"] is not None]
    bare = [verdict["pairs"] for verdict in drawn if verdict["low"] is None]
    if not drawn:
        return "no pairs of seeds that can be compared"
    if drawn_as == "colours" and len(bare) < len(drawn):
        return "means, paired by seed"
    if not bare:
        return "paired by seed, with 95 % intervals"
    if len(bare) < len(drawn):
        return f"paired by seed, with 95 % intervals where there are {stats.MIN_PAIRS} seeds"
    if all(is_one_measurement(verdict) for verdict in drawn):
        return "no intervals: nothing depends on the seed"
    return f"paired by seed, no intervals: {max(bare)} of the {stats.MIN_PAIRS} seeds needed"


def _means_and_intervals(summary: pd.DataFrame) -> str:
    """Say what a point and a bar of a `tables.summary` are."""
    has_intervals = len(set(summary["seed"])) >= stats.MIN_PAIRS
    return means_of(summary) + (" with its 95 % interval" if has_intervals else "")
