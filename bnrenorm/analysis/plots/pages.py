"""Figures as PNG files: pages of `plots`, drawn without a display."""

import io
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bnrenorm.analysis.plots import axes

_DPI = 110
_MARGINS = {"left": 0.06, "right": 0.985, "bottom": 0.1, "top": 0.87, "wspace": 0.05}


def training_and_test(table: pd.DataFrame, value: str, title: str, ylim: tuple[float, float]) -> bytes:
    """Draw "loss" or "accuracy" of all variants as PNG: training on the left, test on the right, one scale."""
    figure = Figure(figsize=(11, 5))  # of fixed margins: a layout engine would take as long again
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw=_MARGINS)
    for ax, split, name in ((left, "train", "training"), (right, "test", "test")):
        axes.curves(ax, table, f"{split}_{value}").set(ylim=ylim, title=f"{name} {value}")
        axes.label_ends(ax)
    left.set_ylabel({"loss": "mean cross entropy (nats)", "accuracy": "share of digits recognised"}[value])
    figure.suptitle(title)
    return png(figure)


def over_grid(table: pd.DataFrame, keys: list[str], split: str, title: str) -> bytes:
    """Draw a grid's curves as PNG: loss above, accuracy below; a panel for each value of the other columns.

    `split`: of the "train" or "test" images.

    The lines are the variants, or with a single variant the values of the last axis. The axes show where most of them
    begin and what they come to; others leave the panel.
    """
    metrics = (f"{split}_loss", f"{split}_accuracy")
    several = [key for key in ("variant", *keys) if len(set(table[key])) > 1]
    own = "variant" if "variant" in several else keys[-1]
    others = [key for key in several if key != own]
    panels: list[tuple[Any, Any]] = list(table.groupby(others, sort=False)) if others else [((), table)]
    figure = Figure(figsize=(max(6.0, 3.2 * len(panels)) + 1, 7), layout="constrained")
    grid = figure.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
    for column, (cell, rows) in zip(grid.T, panels, strict=True):
        for ax, metric in zip(column, metrics, strict=True):
            axes.lines(ax, rows, metric, own)
        named = zip(others, cell, strict=True)
        column[0].set(title=", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in named), xlabel="")
    trained: Any = table[table["epoch"] > 0]
    first, last = (trained[trained["epoch"] == epoch] for epoch in (trained["epoch"].min(), trained["epoch"].max()))
    loss, accuracy = (float(last[metric].median()) for metric in metrics)
    top = max(4 * loss, float(first[metrics[0]].median()))
    name = {"train": "training", "test": "test"}[split]
    grid[0, 0].set(ylabel=f"{name} loss", ylim=(0, top if np.isfinite(top) else None))
    grid[1, 0].set(ylabel=f"{name} accuracy", ylim=(0.9 if accuracy > 0.92 else 0, 1))
    shown = grid[1, -1].get_legend_handles_labels()
    figure.legend(*shown, loc="outside right upper", frameon=False, title=own.rpartition(".")[2], fontsize="small")
    figure.suptitle(title)
    return png(figure)


def differences(verdicts: list[dict[str, Any]], summary: pd.DataFrame, title: str) -> bytes:
    """Draw a grid as PNG: every variant's accuracy on the left, the paired differences with intervals on the right."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    axes.accuracies(left, summary, list(verdicts[0]["point"]))
    axes.differences(right, verdicts)
    left.set_title("mean and standard deviation over seeds")
    right.set_title("paired by seed, with 95 % intervals")
    figure.suptitle(title)
    return png(figure)


def ranking(verdicts: list[dict[str, Any]], base: str, title: str) -> bytes:
    """Draw what each variant gains on `base` as PNG, the best on top."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes.ranking(figure.subplots(), verdicts, base)
    figure.suptitle(f"{title}: paired by seed, with 95 % intervals")
    return png(figure)


def new_ax() -> Any:
    """Make an ax of pyplot's, which a notebook shows."""
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(8, 5), layout="constrained").subplots()


def digit(image: np.ndarray, label: int) -> bytes:
    """Draw one image with its label as PNG."""
    figure = Figure(figsize=(3, 3.3), layout="constrained")
    axes.digit(figure.subplots(), image, label)
    return png(figure)


def png(figure: Any) -> bytes:
    """Draw a figure without a display."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
