"""Figures of the learned parameters: weights, gamma and beta, as PNG."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bnrenorm.analysis.plots import axes
from bnrenorm.analysis.plots.names import plain, plain_list
from bnrenorm.analysis.plots.pages import own_settings, png
from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.config import Trial

_LEGEND_LINES = 9
_LEARNED = 0.2  # test accuracy above which a network has learned something
_WEIGHTS = re.compile(r"linears/\d+/W")
_AFFINE = re.compile(r"norms/\d+/affine/(gamma|beta)")
_AFFINE_RECORDS = re.compile(r"layer\d+_(gamma|beta)")


def pictures(trials: TrainedTrials) -> dict[str, Callable[[], bytes]]:
    """Return functions that draw the learned parameters, by the names of the PNG files that they return.

    Rows are variants, columns layers, lines grid points.

    weights.png and affine.png: histograms of the weights and of gamma and beta after training, of the first seed.
    affine_epochs.png: gamma and beta over the epochs, means over a layer's nodes and over seeds. Trials that kept no
    parameters or learned nothing are left out, and so are files with nothing to show.
    """
    learned = [(t, result) for t, result in trials if result.parameters and _has_learned(result.records)]
    one_seed = [(trial, result) for trial, result in learned if trial.seed == learned[0][0].seed]
    paths = {path for _, result in one_seed for path in result.parameters}
    drawings: dict[str, Callable[[], bytes]] = {}
    for file, pattern in (("weights.png", _WEIGHTS), ("affine.png", _AFFINE)):
        names = sorted(filter(pattern.fullmatch, paths), key=_order)
        rows = [(trial, result) for trial, result in one_seed if any(name in result.parameters for name in names)]
        if rows:
            drawings[file] = partial(_grid, rows, names, "after training", _histogram)
    columns = {column for _, result in learned for column in result.records}
    names = sorted(filter(_AFFINE_RECORDS.fullmatch, columns), key=_order)
    rows = [(trial, result) for trial, result in learned if any(name in result.records for name in names)]
    if rows:
        drawings["affine_epochs.png"] = partial(_grid, rows, names, "means over a layer's nodes", _over_epochs)
    return drawings


def _has_learned(records: dict[str, list[float]]) -> bool:
    return records["test_accuracy"][-1] > _LEARNED


@own_settings()
def _grid(
    trials: TrainedTrials, names: list[str], title: str, draw: Callable[[Any, TrainedTrials, str, Any], None]
) -> bytes:
    variants = list(dict.fromkeys(trial.variant for trial, _ in trials))
    points = list(dict.fromkeys(_point_name(trial) for trial, _ in trials))
    colours = dict(zip(points, colormaps["viridis"](np.linspace(0, 0.9, len(points))), strict=True))
    size = max(6.0, 3.6 * len(names)), 0.8 + 2.6 * len(variants)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(variants), len(names), squeeze=False, sharex="col")
    for row, variant in enumerate(variants):
        of_variant = [(trial, result) for trial, result in trials if trial.variant == variant]
        for ax, name in zip(grid[row], names, strict=True):
            draw(ax, of_variant, name, colours)
            ax.set(title="" if row else _title(name))
        grid[row, 0].set(ylabel=plain(variant))
    if axes_of_grid := [key.rpartition(".")[2] for key, _ in trials[0][0].point]:
        labelled = points[:: -(-len(points) // _LEGEND_LINES)]
        handles = [Line2D([], [], color=colours[point]) for point in labelled]
        style: Any = {"frameon": False, "fontsize": "x-small", "title": plain_list(axes_of_grid)}
        grid[0, -1].legend(handles, labelled, **style)
    figure.suptitle(title)
    return png(figure)


def _histogram(ax: Any, trials: TrainedTrials, name: str, colours: Any) -> None:
    arrays = {_point_name(trial): result.parameters[name] for trial, result in trials if name in result.parameters}
    axes.histogram(ax, arrays, [colours[point] for point in arrays])


def _over_epochs(ax: Any, trials: TrainedTrials, name: str, colours: Any) -> None:
    frames = [
        pd.DataFrame({"point": _point_name(trial), "epoch": result.records["epoch"], name: result.records[name]})
        for trial, result in trials
        if name in result.records
    ]
    if frames:
        table: Any = pd.concat(frames).dropna()
        axes.lines(ax, table, name, "point", [colours[point] for point in dict.fromkeys(table["point"])])


def _point_name(trial: Trial) -> str:
    return plain_list(value for _, value in trial.point)


def _order(name: str) -> tuple[int, bool]:
    """Sort by layer, gamma before beta."""
    return _number(name), "beta" in name


def _title(name: str) -> str:
    layer = _number(name) + ("/" in name)  # paths count layers from 0, records from 1
    kind = re.split(r"[/_]", name)[-1]
    return f"layer {layer}: {'weights' if kind == 'W' else kind}"


def _number(name: str) -> int:
    number = re.search(r"\d+", name)
    return int(number[0]) if number else 0
