"""Figures of what was learned: weights, gamma and beta, as PNG."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bnrenorm.analysis.plots import axes
from bnrenorm.analysis.plots.pages import png
from bnrenorm.analysis.tables import Results
from bnrenorm.config import Trial

_NAMED = 9  # lines in a legend

_LEARNED = 0.2  # an accuracy that says so
_OVER_EPOCHS = re.compile(r"layer\d+_(gamma|beta)")


def pictures(results: Results) -> dict[str, bytes]:
    """Draw what was learned, as PNG by file name: rows are variants, columns layers, lines the grid's points.

    weights.png and affine.png show the first seed's weights, gammas and betas after training, affine_epochs.png gammas
    and betas over the epochs, means over a layer's nodes and over seeds. Networks that learned nothing are left out.
    """
    trained = [each for each in results if each[1].parameters and each[1].records["test_accuracy"][-1] > _LEARNED]
    first = [each for each in trained if each[0].seed == trained[0][0].seed]
    names = sorted({name for _, result in first for name in result.parameters}, key=_place)
    found: dict[str, bytes] = {}
    for file, pattern in (("weights.png", r"linears/(\d+)/W"), ("affine.png", r"norms/(\d+)/affine/(gamma|beta)")):
        chosen = [name for name in names if re.fullmatch(pattern, name)]
        rows = [each for each in first if any(name in each[1].parameters for name in chosen)]
        if rows:
            found[file] = _grid(rows, chosen, "after training", _histogram)
    chosen = sorted(
        {name for _, result in trained for name in result.records if _OVER_EPOCHS.fullmatch(name)}, key=_place
    )
    rows = [each for each in trained if any(name in each[1].records for name in chosen)]
    if rows:
        found["affine_epochs.png"] = _grid(rows, chosen, "means over a layer's nodes", _over_epochs)
    return found


def _grid(results: Results, names: list[str], title: str, fill: Callable[[Any, Results, str, Any], None]) -> bytes:
    variants = list(dict.fromkeys(trial.variant for trial, _ in results))
    points = list(dict.fromkeys(_label(trial) for trial, _ in results))
    shades = dict(zip(points, colormaps["viridis"](np.linspace(0, 0.9, len(points))), strict=True))
    size = max(6.0, 3.6 * len(names)), 0.8 + 2.6 * len(variants)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(variants), len(names), squeeze=False, sharex="col")
    for row, variant in enumerate(variants):
        own = [each for each in results if each[0].variant == variant]
        for ax, name in zip(grid[row], names, strict=True):
            fill(ax, own, name, shades)
            ax.set(title="" if row else _title(name))
        grid[row, 0].set(ylabel=variant)
    step = -(-len(points) // _NAMED)
    handles = [Line2D([], [], color=shades[point]) for point in points[::step]]
    axes = ", ".join(key.rpartition(".")[2] for key, _ in results[0][0].point)
    grid[0, -1].legend(handles, points[::step], frameon=False, fontsize="x-small", title=axes)
    figure.suptitle(title)
    return png(figure)


def _histogram(ax: Any, results: Results, name: str, shades: Any) -> None:
    arrays = {_label(trial): result.parameters[name] for trial, result in results if name in result.parameters}
    axes.histogram(ax, arrays, [shades[label] for label in arrays])


def _over_epochs(ax: Any, results: Results, name: str, shades: Any) -> None:
    frames = [
        pd.DataFrame({"point": _label(trial), "epoch": result.records["epoch"], name: result.records[name]})
        for trial, result in results
        if name in result.records
    ]
    if frames:
        table: Any = pd.concat(frames).dropna()
        axes.lines(ax, table, name, "point", [shades[label] for label in dict.fromkeys(table["point"])])


def _label(trial: Trial) -> str:
    return ", ".join(f"{value}" for _, value in trial.point)


def _place(name: str) -> tuple[int, bool]:
    number = re.search(r"\d+", name)
    return (int(number[0]) if number else 0, "beta" in name)


def _title(name: str) -> str:
    number = re.search(r"\d+", name)
    layer = (int(number[0]) if number else 0) + ("/" in name)
    what = re.split(r"[/_]", name)[-1]
    return f"layer {layer}: {'weights' if what == 'W' else what}"
