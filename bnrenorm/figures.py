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
