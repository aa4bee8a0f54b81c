"""Figures as PNG files: pages of `plots`, drawn without a display."""

import io
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bnrenorm import plots

_DPI = 110


def training_and_test(table: pd.DataFrame, value: str, title: str, ylim: tuple[float, float]) -> bytes:
    """Draw "loss" or "accuracy" of all variants as PNG: training on the left, test on the right, one scale."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for ax, split, name in ((left, "train", "training"), (right, "test", "test")):
        plots.curves(ax, table, f"{split}_{value}").set(ylim=ylim, title=f"{name} {value}")
        plots.end_labels(ax)
    left.set_ylabel({"loss": "mean cross entropy (nats)", "accuracy": "share of digits recognised"}[value])
    figure.suptitle(title)
    return _png(figure)


def over_grid(table: pd.DataFrame, keys: list[str], title: str) -> bytes:
    """Draw a grid's curves as PNG: test loss above, test accuracy below; a panel for each value of the other columns.

    The lines are the variants, or with a single variant the values of the last axis.
    """
    several = [key for key in ("variant", *keys) if len(set(table[key])) > 1]
    own = "variant" if "variant" in several else keys[-1]
    others = [key for key in several if key != own]
    panels: list[tuple[Any, Any]] = list(table.groupby(others, sort=False)) if others else [((), table)]
    figure = Figure(figsize=(max(6.0, 3.2 * len(panels)), 7), layout="constrained")
    grid = figure.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
    for column, (cell, rows) in zip(grid.T, panels, strict=True):
        for ax, metric in zip(column, ("test_loss", "test_accuracy"), strict=True):
            plots.lines(ax, rows, metric, own)
        named = zip(others, cell, strict=True)
        column[0].set(title=", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in named), xlabel="")
    for ax, metric, bounds in zip(grid[:, 0], ("test_loss", "test_accuracy"), ((0, 1), (0.9, 1)), strict=True):
        values = table[metric].to_numpy()
        inside = np.quantile(values[np.isfinite(values)], (0.05, 0.95))
        low, high = min(bounds[0], inside[0]) if metric == "test_accuracy" else 0, max(bounds[1], inside[1])
        ax.set(ylabel=metric.replace("_", " "), ylim=(low, min(high, 3.0)))
    grid[1, -1].legend(frameon=False, title=own.rpartition(".")[2], fontsize="small")
    figure.suptitle(title)
    return _png(figure)


def parameters(results: list[tuple[Any, Any]]) -> dict[str, bytes]:
    """Draw the trained parameters of the first seed as PNG: weights.png, and affine.png if there are gamma and beta."""
    first = results[0][0].seed
    own = [(trial, result.parameters) for trial, result in results if trial.seed == first and result.parameters]
    several = len({trial.variant for trial, _ in own}) > 1
    named = {
        " ".join([*([trial.variant] if several else []), *(f"{value}" for _, value in trial.point)]): arrays
        for trial, arrays in own
    }
    found = {"weights.png": _histograms(named, [name for name in own[0][1] if name.endswith("/W")], "weights")}
    affine = sorted({name for arrays in named.values() for name in arrays if name.endswith(("gamma", "beta"))})
    if affine:
        found["affine.png"] = _histograms(named, affine, "gamma and beta")
    return found


def _histograms(named: dict[str, dict[str, Any]], names: list[str], title: str) -> bytes:
    figure = Figure(figsize=(max(6.0, 4 * len(names)), 4.5), layout="constrained")
    for ax, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        plots.histogram(ax, {label: arrays[name] for label, arrays in named.items() if name in arrays})
        ax.set(title=name, ylabel="count" if name == names[0] else "")
    figure.axes[-1].legend(frameon=False, fontsize="small")
    figure.suptitle(f"{title} after training")
    return _png(figure)


def differences(verdicts: list[dict[str, Any]], summary: pd.DataFrame, title: str) -> bytes:
    """Draw a grid as PNG: every variant's accuracy on the left, the paired differences with intervals on the right."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    plots.accuracies(left, summary, list(verdicts[0]["point"]))
    plots.differences(right, verdicts)
    left.set_title("mean and standard deviation over seeds")
    right.set_title("paired by seed, with 95 % intervals")
    figure.suptitle(title)
    return _png(figure)


def new_ax() -> Any:
    """Make an ax of pyplot's, which a notebook shows."""
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(8, 5), layout="constrained").subplots()


def digit(image: np.ndarray, label: int) -> bytes:
    """Draw one image with its label as PNG."""
    figure = Figure(figsize=(3, 3.3), layout="constrained")
    plots.digit(figure.subplots(), image, label)
    return _png(figure)


def _png(figure: Any) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
