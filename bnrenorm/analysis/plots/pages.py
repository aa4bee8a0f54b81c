"""Whole figures of curves: functions that return a Matplotlib Figure, the same whatever the user's settings are."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bnrenorm.analysis import aggregates, stats
from bnrenorm.analysis.plots import axes, limits
from bnrenorm.analysis.plots.limits import AxesChoice
from bnrenorm.analysis.plots.names import plain
from bnrenorm.analysis.plots.style import looks, own_settings, png
from bnrenorm.analysis.plots.texts import legend_below, legend_of_figure, name_point, title_figure
from bnrenorm.config.trial import short, value_text
from bnrenorm.training.records import CURVES

_ROWS, _ROW = 4, 0.22  # of a legend below a panel: rows that a page has room for, and the inches of each further one
_PANELS = 24  # more would take minutes, and more pixels than Matplotlib allows


@own_settings()
def training_and_test(
    table: pd.DataFrame, value: str, title: str, choice: AxesChoice = "effect", loss: str = "loss"
) -> Figure:
    """Draw "loss" or "accuracy" of a `tables.curves` table: training on the left, test on the right, one y axis.

    loss: what the losses are (`ExperimentResults.loss`).
    """
    figure = Figure(figsize=(11, 5))
    panels = figure.subplots(1, 2, sharey=True)
    metrics = {f"{split}_{value}": name for split, name in (("train", "training"), ("test", "test"))}
    for ax, (metric, name) in zip(panels, metrics.items(), strict=True):
        axes.curves(ax, table, metric).set(title=f"{name} {value}")
    limits.set_limits(panels, table, list(metrics), choice)
    rows = 0
    for ax in panels:
        limits.name_those_outside(ax)
        axes.label_ends(ax, value)
        rows = max(rows, legend_below(ax, columns=1 + (len(ax.get_lines()) > _ROWS)))
    figure.set_size_inches(11, 5 + _ROW * max(0, rows - _ROWS))
    panels[0].set_ylabel(loss if value == "loss" else "accuracy (%)")
    title_figure(figure, title)
    return figure


@own_settings()
def over_grid(table: pd.DataFrame, keys: list[str], split: str, title: str, choice: AxesChoice = "effect") -> Figure:
    """Draw the "train" or "test" curves of a grid: loss above accuracy, for each point.

    table: `tables.curves`; keys: its grid columns. The lines are the variants, or with a single variant the values of
    the last grid column; every combination of the other columns has its own panels, up to 24 in rows of six at most.
    They are drawn over the epochs, or over the steps if there is less than an epoch.
    """
    metrics = [f"{split}_loss", f"{split}_accuracy"]
    varying = [key for key in ("variant", *keys) if len(set(table[key])) > 1]
    line_key = "variant" if "variant" in varying else keys[-1]
    panel_keys = [key for key in varying if key != line_key]
    names = [value_text(value) for value in table[line_key]]
    table, styles = table.assign(**{line_key: names}), looks(names)  # the same in all panels, whatever they lack
    panels, title = split_panels(table, panel_keys, title)
    columns = count_columns(panels)
    bands = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(max(6.0, 2.3 * columns + 1.6), 3.4 * bands + 0.8))
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    for ax in grid.flat[:]:
        ax.set_visible(False)
    drawn: dict[str, list[Any]] = {metric: [] for metric in metrics}
    over = "step" if table["epoch"].to_numpy().max() < 1 else "epoch"
    for i, (cell, rows) in enumerate(panels):
        band, column = divmod(i, columns)
        for row, metric in enumerate(metrics):
            ax = grid[2 * band + row, column]
            axes.lines(ax, rows, metric, line_key, styles, over)
            ax.set(visible=True, **({} if row else {"xlabel": ""}))
            ax.tick_params(labelbottom=bool(row), labelleft=not column)
            drawn[metric].append(ax)
        grid[2 * band, column].set_title(name_point(panel_keys, cell), fontsize="medium")
    name = {"train": "training", "test": "test"}[split]
    for metric, panels_of_metric in drawn.items():
        limits.set_limits(panels_of_metric, table, [metric], choice)
        for ax in panels_of_metric[::columns]:
            ax.set_ylabel(f"{name} loss" if metric.endswith("loss") else f"{name} accuracy (%)")
    for ax in (*drawn[metrics[0]], *drawn[metrics[1]]):
        limits.name_those_outside(ax)
    legend_of_figure(figure, legend_entries(drawn[metrics[1]]), plain(short(line_key)))
    title_figure(figure, f"{title} ({means_of(table)})")
    return figure


def spread_of(table: pd.DataFrame) -> str:
    """Say what a line and a band of a `tables.curves` or `tables.diagnostics` table are."""
    seeds = list(dict.fromkeys(table["seed"]))
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if values := [name for name in CURVES if name in table]:
        by_step: Any = table.groupby([*aggregates.keys_of(table, "seed"), "step"], dropna=False)[values]
        if by_step.nunique(dropna=False).to_numpy().max() == 1:
            return f"all {len(seeds)} seeds are alike"
    many = len(seeds) >= stats.MIN_PAIRS
    return f"{means_of(table)}, {'band: 95 % interval at each step' if many else 'thin: single seeds'}"


def means_of(table: pd.DataFrame) -> str:
    """Say of which seeds a line or a point without a band is the mean, also of a `tables.summary`."""
    seeds = len(set(table["seed"]))
    ended = any(table[name].isna().any() for name in ("test_accuracy", "final_test_accuracy") if name in table)
    return "one seed" if seeds == 1 else f"mean of {'up to ' * ended}{seeds} seeds"


@own_settings()
def digit(image: np.ndarray, label: int) -> bytes:
    """Draw one image with its label (`axes.digit`), as a PNG file."""
    figure = Figure(figsize=(3, 3.3))
    axes.digit(figure.subplots(), image, label)
    return png(figure)


def split_panels(table: pd.DataFrame, keys: list[str], title: str) -> tuple[list[tuple[Any, Any]], str]:
    """Return the rows of every combination of the columns `keys`, 24 at most, and the title, which says so."""
    # without iter, list asks for the length first, which pandas 2 cannot count where a key is null
    by_point = iter(table.groupby(keys, sort=False, dropna=False)) if keys else [((), table)]
    panels: list[tuple[Any, Any]] = list(by_point)
    if len(panels) > _PANELS:
        return panels[:_PANELS], f"{title}: the first {_PANELS} of {len(panels)} panels"
    return panels, title


def count_columns(panels: list[tuple[Any, Any]]) -> int:
    """Return how many panels stand in a row: the values of the last axis, or as many rows as fit a page."""
    count = len(panels)
    last = len({str(cell[-1]) for cell, _ in panels}) if count > 1 else 1
    if 1 < last <= 6 and count > last:
        return last if count <= 4 * last else last * (6 // last)
    return min(count, 4) if count <= 8 else min(6, math.ceil((2 * count) ** 0.5))


def legend_entries(panels: list[Any]) -> list[tuple[str, Any]]:
    """Return label and handle of what the panels show, once; of labels that read the same, one for each colour."""
    entries: dict[tuple[str, str], Any] = {}
    for ax in panels:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            colour = handle.get_color() if isinstance(handle, Line2D) else ""
            entries.setdefault((label, str(colour)), handle)
    return [(label, handle) for (label, _), handle in entries.items()]
