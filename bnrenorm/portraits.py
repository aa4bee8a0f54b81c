"""Figures of what was learned: weights, gamma and beta, as PNG."""

import re
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from bnrenorm import plots
from bnrenorm.figures import png
from bnrenorm.tables import Results

_NAMED = 9  # lines in a legend

Trained = dict[str, dict[str, dict[str, np.ndarray]]]  # by variant and point: the parameters


def parameters(results: Results) -> dict[str, bytes]:
    """Draw the first seed's weights, gammas and betas after training: weights.png, and affine.png if any."""
    first, trained = results[0][0].seed, Trained()
    for trial, result in results:
        if trial.seed == first and result.parameters:
            label = ", ".join(f"{value}" for _, value in trial.point)
            trained.setdefault(trial.variant, {})[label] = result.parameters
    found = {}
    for file, pattern in (("weights.png", r"linears/(\d+)/W"), ("affine.png", r"norms/(\d+)/affine/(gamma|beta)")):
        names = sorted({name for cell in trained.values() for each in cell.values() for name in each}, key=_place)
        names = [name for name in names if re.fullmatch(pattern, name)]
        rows = {key: cell for key, cell in trained.items() if any(name in next(iter(cell.values())) for name in names)}
        if rows:
            axes = [key.rpartition(".")[2] for key, _ in results[0][0].point]
            found[file] = _histograms(rows, names, ", ".join(axes))
    return found


def affine_over_epochs(table: pd.DataFrame, title: str) -> bytes | None:
    """Draw gamma and beta, means over the nodes of a layer, over a `tables.diagnostics`' epochs; None without any."""
    names = [name for name in table.columns if re.fullmatch(r"layer\d+_(gamma|beta)", str(name))]
    if not names:
        return None
    point = list(table.columns[1 : list(table.columns).index("seed")])
    label = table[["variant", *point]].astype(str).agg(" ".join, axis=1)
    table = table.assign(setting=label)
    figure = Figure(figsize=(4 * len(names), 4.5), layout="constrained")
    for ax, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        known: Any = table[table[name].notna()]
        plots.lines(ax, known, name, "setting").set(title=_title(name))
    figure.axes[-1].legend(frameon=False, fontsize="x-small")
    figure.suptitle(f"{title}: gamma and beta, means over a layer's nodes")
    return png(figure)


def _place(name: str) -> tuple[int, str]:
    number = re.search(r"\d+", name)
    return (int(number[0]) if number else 0, {"gamma": "0"}.get(name.rpartition("/")[2], name))


def _title(name: str) -> str:
    number = re.search(r"\d+", name)
    layer = (int(number[0]) if number else 0) + ("/" in name)
    what = re.split(r"[/_]", name)[-1]
    return f"layer {layer}: {'weights' if what == 'W' else what}"


def _histograms(rows: Trained, names: list[str], axes: str) -> bytes:
    figure = Figure(figsize=(max(6.0, 3.6 * len(names)), 0.8 + 2.6 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(names), squeeze=False, sharex="col")
    for line, (variant, cell) in zip(grid, rows.items(), strict=True):
        shades = colormaps["viridis"](np.linspace(0, 0.9, len(cell)))
        for ax, name in zip(line, names, strict=True):
            plots.histogram(ax, {label: each[name] for label, each in cell.items()}, shades)
            ax.set(title=_title(name) if line is grid[0] else "")
        line[0].set(ylabel=f"{variant}: count")
    handles, labels = grid[0, -1].get_legend_handles_labels()
    step = -(-len(labels) // _NAMED)
    grid[0, -1].legend(handles[::step], labels[::step], frameon=False, fontsize="x-small", title=axes)
    figure.suptitle("after training")
    return png(figure)
