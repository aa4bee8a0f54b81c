"""Curves, histograms and images: each function draws the numbers that it is given on `ax` and returns `ax`.

Nothing is opened, shown or saved here; the only computations are means over seeds and their intervals.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from bnrenorm.analysis import over_steps
from bnrenorm.analysis.over_steps import Spread
from bnrenorm.analysis.plots.names import plain
from bnrenorm.analysis.plots.style import Look, look, looks
from bnrenorm.numbers import mean_and_spread

_WIDEST, _WIDTH = 3.6, 1.5
BEYOND = 1.02  # the x axis of a training ends so much later than it, to leave space for the last marker
_MARKS = 7  # markers of a line
_MANY = 400  # use finer bins and a logarithmic scale for histograms of more values
_NARROWEST = 0.02  # of a histogram, in units of the values' centre: rounding errors are no distribution


def curves(ax: Any, table: pd.DataFrame, metric: str) -> Any:
    """Draw a column of a `tables.curves` table over the steps: the mean over seeds, a line per variant.

    Accuracies are in %. From 6 seeds on there is a band, the 95 % interval of the mean; below, a thin line per seed. Of
    up to three variants the first has the widest line, and each later one a narrower line on top, so that curves that
    coincide all stay visible.
    """
    variants = list(dict.fromkeys(table["variant"]))
    for i, variant in enumerate(variants):
        values = over_steps.by_seed(table[table["variant"] == variant], metric)
        spread = over_steps.spread(over_steps.scale_of(metric) * values)
        width = _WIDEST * 0.55**i if len(variants) < 4 else _WIDTH
        draw_spread(ax, spread, look(i), plain(variant), width=width, order=i)
    ax.set(xlabel="step", xlim=(0, BEYOND * table["step"].max()))
    draw_grid(ax)
    return hide_box(ax)


def draw_spread(ax: Any, spread: Spread, style: Look, label: str, *, width: float = _WIDTH, order: int = 0) -> None:
    """Draw a mean over the steps with its interval as a band, or where there is none with a thin line per seed."""
    phase = order * max(1, len(spread.steps) // (5 * _MARKS))  # so that the markers of coinciding lines do not
    marks = slice(phase % max(1, len(spread.steps)), None, max(1, len(spread.steps) // _MARKS))
    kind: Any = {"color": style.color, "linestyle": style.linestyle, "marker": style.marker, "markevery": marks}
    ax.plot(spread.steps, spread.mean, **kind, linewidth=width, markersize=4 + width / 2, label=label, zorder=3 + order)
    if spread.has_interval:
        ax.fill_between(spread.steps, spread.low, spread.high, color=style.color, alpha=0.2, linewidth=0, zorder=1)
    elif spread.values.shape[1] > 1:
        seeds = [np.column_stack([spread.steps, column]) for column in spread.values.to_numpy().T]
        ax.add_collection(LineCollection(seeds, colors=style.color, alpha=0.5, linewidths=0.7, zorder=2))


def lines(
    ax: Any, table: pd.DataFrame, metric: str, key: str, styles: dict[Any, Look] | None = None, over: str = "epoch"
) -> Any:
    """Draw a column of a `tables.curves` table, means over seeds, accuracies in %: a line per value of column `key`.

    styles: a look per value; by default in the values' order. over: "epoch" or "step".
    """
    by_name: Any = table.groupby(key, sort=False, dropna=False)
    for i, (name, rows) in enumerate(by_name):
        mean = over_steps.scale_of(metric) * rows.groupby(over)[metric].mean()
        style, every = look(i) if styles is None else styles[name], max(1, len(mean) // 5)
        kind: Any = {"color": style.color, "linestyle": style.linestyle, "marker": style.marker, "markersize": 4}
        ax.plot(mean.index, mean, **kind, markevery=(i % every, every), linewidth=1.3, label=plain(name))
    ax.set(xlabel=over, xlim=(0, BEYOND * table[over].max()))
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], integer=True))
    draw_grid(ax)
    return hide_box(ax)


def histogram(ax: Any, values: dict[str, np.ndarray], styles: dict[str, Look] | None = None) -> Any:
    """Draw the distribution of each array's finite values as an outline, with a logarithmic scale if there are many."""
    arrays = {name: array[np.isfinite(array)].ravel() for name, array in values.items()}
    styles = styles or looks(arrays)
    pooled = np.concatenate([np.empty(0), *arrays.values()])  # a network may lack the layer that a panel is of
    if pooled.size:
        low, high = np.quantile(pooled, (0.0005, 0.9995))
        missing = max(0.0, _NARROWEST * max(1.0, abs(low + high) / 2) - (high - low))
        margin = 0.1 * (high - low) + missing / 2
        bins = np.linspace(low - margin, high + margin, 61 if max(map(len, arrays.values())) > _MANY else 21)
        for name, array in arrays.items():
            style: Any = {"color": styles[name].color, "linestyle": styles[name].linestyle}
            ax.stairs(np.histogram(array, bins)[0], bins, **style, label=plain(name), linewidth=1.2)
    if max(map(len, arrays.values()), default=0) > _MANY:
        ax.set_yscale("log")
        ax.minorticks_off()  # eight for every decade: half of the drawing's time
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel("value")
    return hide_box(ax)


def falls_and_rises(ax: Any, epochs: np.ndarray, values: np.ndarray) -> Any:
    """Mark each epoch in which a curve fell (blue triangle down) or rose (red triangle up); epochs and values (T,)."""
    change = np.diff(values)
    for sign, marker, style in ((-1, "v", look(0)), (1, "^", look(1))):
        marked = np.flatnonzero(np.sign(change) == sign) + 1
        ax.plot(epochs[marked], values[marked], marker, color=style.color, markersize=5)
    ax.plot(epochs, values, color="0.6", linewidth=0.8, zorder=1)
    return hide_box(ax)


def digit(ax: Any, image: np.ndarray, label: int) -> Any:
    """Show one image (H, W), or (H, W, 3) in colours, with its label as the title.

    uint8, or floats, which are shown from 0 to 1, and further where the image goes further.
    """
    low, high = (0, 255) if image.dtype == np.uint8 else (min(0.0, image.min()), max(1.0, image.max()))
    if image.ndim == 3 and image.dtype != np.uint8:
        image = (image - low) / (high - low)
    ax.imshow(image, cmap="gray_r", vmin=low, vmax=high)
    ax.set(title=f"label {label}", xticks=[], yticks=[])
    return ax


def label_ends(ax: Any, metric: str) -> Any:
    """Name each line by its label and last value, for the legend; metric: what `curves` has drawn."""
    decimals = 2 if over_steps.scale_of(metric) == 100 else 4
    for line in ax.get_lines():
        values = np.asarray(line.get_ydata(), float)
        value = mean_and_spread(float(values[-1]), np.nan, decimals) or "no value"
        line.set_label(f"{line.get_label()}: {value} at the end")
    return ax


def bars(means: Any, low: Any, high: Any) -> np.ndarray:
    """Return the lengths (2, T) of the error bars of means (T,), NaN where there is no interval.

    0 where rounding puts the mean of equal values beyond their interval: Matplotlib refuses a length below 0.
    """
    return np.maximum([means - low, high - means], 0).reshape(2, -1)


def draw_grid(ax: Any, axis: str = "both") -> None:
    """Draw grey lines behind the data; axis: "x", "y" or "both"."""
    ax.grid(axis=axis, color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)


def hide_box(ax: Any) -> Any:
    """Leave the left and the lower edge of `ax` only."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax
