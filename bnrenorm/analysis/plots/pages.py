"""Whole figures as PNG files, drawn without a display and the same whatever the user's Matplotlib settings are."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bnrenorm.analysis import stats
from bnrenorm.analysis.plots import axes, fonts
from bnrenorm.analysis.plots.names import plain

_DPI = 110
_PANELS = 24  # more would take minutes, and more pixels than Matplotlib allows
_MARGINS = {"left": 0.06, "right": 0.985, "bottom": 0.1, "top": 0.87, "wspace": 0.05}


@contextmanager
def own_settings() -> Iterator[None]:
    """Context, or decorator, in which Matplotlib has its default settings.

    Characters that DejaVu Sans lacks come from the fonts that the user has set, if these have them.
    """
    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    chosen = [*matplotlib.rcParams["font.family"], *matplotlib.rcParams["font.sans-serif"]]
    installed = set(font_manager.get_font_names())
    families = dict.fromkeys(["DejaVu Sans", *(font for font in chosen if font in installed)])
    settings: Any = {**defaults, "font.family": list(families)}
    with matplotlib.rc_context(settings):
        yield


@own_settings()
def training_and_test(table: pd.DataFrame, value: str, title: str, ylim: tuple[float, float]) -> bytes:
    """Draw "loss" or "accuracy" of a `tables.curves` table: training on the left, test on the right, one y axis."""
    figure = Figure(figsize=(11, 5))  # with fixed margins: a layout engine would double the time
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw=_MARGINS)
    for ax, split, name in ((left, "train", "training"), (right, "test", "test")):
        axes.curves(ax, table, f"{split}_{value}").set(ylim=ylim, title=f"{name} {value}")
        axes.label_ends(ax)
    left.set_ylabel({"loss": "mean cross entropy (nats)", "accuracy": "share of digits recognised"}[value])
    figure.suptitle(title)
    return png(figure)


@own_settings()
def over_grid(table: pd.DataFrame, keys: list[str], split: str, title: str) -> bytes:
    """Draw the "train" or "test" curves of a grid: loss above, accuracy below.

    table: `tables.curves`; keys: its grid columns. The lines are the variants, or with a single variant the values of
    the last grid column; every combination of the other columns has its own panel, up to 24. The y axes span the range
    of a typical trial: curves far worse than the median leave the panel.
    """
    metrics = (f"{split}_loss", f"{split}_accuracy")
    varying = [key for key in ("variant", *keys) if len(set(table[key])) > 1]
    line_key = "variant" if "variant" in varying else keys[-1]
    panel_keys = [key for key in varying if key != line_key]
    by_panel = table.groupby(panel_keys, sort=False, dropna=False) if panel_keys else [((), table)]
    panels: list[tuple[Any, Any]] = list(by_panel)
    if len(panels) > _PANELS:
        title = f"{title}: the first {_PANELS} of {len(panels)} points of the grid"
        panels = panels[:_PANELS]
    figure = Figure(figsize=(max(6.0, 3.2 * len(panels)) + 1, 7), layout="constrained")
    grid = figure.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
    for column, (cell, rows) in zip(grid.T, panels, strict=True):
        for ax, metric in zip(column, metrics, strict=True):
            axes.lines(ax, rows, metric, line_key)
        settings = zip(panel_keys, cell, strict=True)
        title_of_panel = ", ".join(f"{plain(key.rpartition('.')[2])} {plain(value)}" for key, value in settings)
        column[0].set(title=title_of_panel, xlabel="")
    trained: Any = table[table["epoch"] > 0]
    begin, end = (trained[trained["epoch"] == epoch] for epoch in (trained["epoch"].min(), trained["epoch"].max()))
    loss, accuracy = (float(end[metric].median()) for metric in metrics)
    top = max(4 * loss, float(begin[metrics[0]].median()))
    name = {"train": "training", "test": "test"}[split]
    grid[0, 0].set(ylabel=f"{name} loss", ylim=(0, top if np.isfinite(top) else None))
    grid[1, 0].set(ylabel=f"{name} accuracy", ylim=(0.9 if accuracy > 0.92 else 0, 1))
    handles, labels = grid[1, -1].get_legend_handles_labels()
    heading = plain(line_key.rpartition(".")[2])
    figure.legend(handles, labels, loc="outside right upper", frameon=False, title=heading, fontsize="small")
    figure.suptitle(title)
    return png(figure)


@own_settings()
def differences(verdicts: list[dict[str, Any]], summary: pd.DataFrame, title: str) -> bytes:
    """Draw a grid's `tables.summary` and `verdicts.verdicts`: accuracies left, paired differences right."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    axes.accuracies(left, summary, list(verdicts[0]["point"]))
    axes.differences(right, verdicts)
    seeds = len(set(summary["seed"]))
    left.set_title(f"mean and standard deviation over {seeds} seeds" if seeds > 1 else "one seed")
    right.set_title(pairing(verdicts))
    figure.suptitle(title)
    return png(figure)


@own_settings()
def ranking(verdicts: list[dict[str, Any]], base: str, title: str) -> bytes:
    """Draw the gain of each variant on `base`, the best on top (`axes.ranking`)."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes.ranking(figure.subplots(), verdicts, base)
    figure.suptitle(f"{title}: {pairing(verdicts)}")
    return png(figure)


def pairing(verdicts: list[dict[str, Any]]) -> str:
    """Say what the drawn differences of `verdicts.verdicts` are: which of them have intervals, or why none has."""
    drawn = [verdict for verdict in verdicts if verdict["mean"] is not None]
    bare = [verdict["pairs"] for verdict in drawn if verdict["low"] is None]
    if not drawn:
        return "no pairs of seeds that can be compared"
    if not bare:
        return "paired by seed, with 95 % intervals"
    if len(bare) < len(drawn):
        return f"paired by seed, with 95 % intervals where there are {stats.MIN_PAIRS} seeds"
    return f"paired by seed, no intervals: {max(bare)} of the {stats.MIN_PAIRS} seeds needed"


@own_settings()
def digit(image: np.ndarray, label: int) -> bytes:
    """Draw one image (H, W), uint8, with its label."""
    figure = Figure(figsize=(3, 3.3), layout="constrained")
    axes.digit(figure.subplots(), image, label)
    return png(figure)


def png(figure: Any) -> bytes:
    """Render a figure as a PNG file, without a display; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    fonts.complete(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
