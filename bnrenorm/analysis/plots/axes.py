"""Single plots: each function draws the numbers that it is given on `ax` and returns `ax`.

Nothing is opened, shown or saved here; the only computations are means, extremes and standard deviations over seeds.
"""

from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis.plots.names import plain, plain_list

# Okabe and Ito's colours, which are told apart with any colour vision. Line widths tell coinciding curves apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_WIDEST = 6.0
_MANY = 400  # use finer bins and a logarithmic scale for histograms of more values


def curves(ax: Any, table: pd.DataFrame, metric: str) -> Any:
    """Draw a column of a `tables.curves` table over the steps: mean over seeds, and a band from minimum to maximum.

    The first variant has the widest line, and each later one a narrower line on top, so that curves that coincide all
    stay visible.
    """
    variants = list(dict.fromkeys(table["variant"]))
    for i, variant in enumerate(variants):
        by_step: Any = table[table["variant"] == variant].groupby("step")[metric]
        mean, low, high = by_step.mean(), by_step.min(), by_step.max()
        width = _WIDEST * (0.5**i if len(variants) < 4 else 0.8**i)
        colour = COLOURS[i % len(COLOURS)]
        style: Any = {"color": colour, "linewidth": width, "solid_capstyle": "butt", "label": plain(variant)}
        ax.plot(mean.index, mean, **style, zorder=2 + i)
        ax.fill_between(mean.index, low, high, color=colour, alpha=0.25, linewidth=0, zorder=1)
    ax.set(xlabel="step", xlim=(0, table["step"].max()))
    _draw_grid(ax)
    return _hide_box(ax)


def lines(ax: Any, table: pd.DataFrame, metric: str, key: str, colours: Any = COLOURS) -> Any:
    """Draw a column of a `tables.curves` table over the epochs, means over seeds: a line per value of column `key`."""
    by_name: Any = table.groupby(key, sort=False, dropna=False)
    for i, (name, rows) in enumerate(by_name):
        mean = rows.groupby("epoch")[metric].mean()
        style = "-" if i < len(colours) else "--"
        ax.plot(mean.index, mean, style, color=colours[i % len(colours)], linewidth=1.4, label=plain(name))
    ax.set(xlabel="epoch", xlim=(0, table["epoch"].max()))
    _draw_grid(ax)
    return _hide_box(ax)


def histogram(ax: Any, values: dict[str, np.ndarray], colours: Any = COLOURS) -> Any:
    """Draw the distribution of each array's finite values as an outline, with a logarithmic scale if there are many."""
    arrays = {name: array[np.isfinite(array)].ravel() for name, array in values.items()}
    pooled = np.concatenate(list(arrays.values()))
    if pooled.size:
        low, high = np.quantile(pooled, (0.0005, 0.9995))
        margin = 0.1 * (high - low) or 0.1
        bins = np.linspace(low - margin, high + margin, 61 if max(map(len, arrays.values())) > _MANY else 21)
        for (name, array), colour in zip(arrays.items(), colours, strict=False):
            ax.stairs(np.histogram(array, bins)[0], bins, color=colour, label=plain(name), linewidth=1.2)
    if max(map(len, arrays.values()), default=0) > _MANY:
        ax.set_yscale("log")
    return _hide_box(ax)


def falls_and_rises(ax: Any, epochs: np.ndarray, values: np.ndarray) -> Any:
    """Mark each epoch in which a curve fell (blue triangle down) or rose (red triangle up); epochs and values (T,)."""
    change = np.diff(values)
    for sign, marker, colour in ((-1, "v", "#0072B2"), (1, "^", "#D55E00")):
        marked = np.flatnonzero(np.sign(change) == sign) + 1
        ax.plot(epochs[marked], values[marked], marker, color=colour, markersize=5)
    ax.plot(epochs, values, color="0.6", linewidth=0.8, zorder=1)
    return _hide_box(ax)


def ranking(ax: Any, verdicts: list[dict[str, Any]], base: str) -> Any:
    """Draw the gain of each variant on `base`, the best on top: mean paired difference and 95 % interval, in points.

    `verdicts` are those of one grid point (`verdicts.verdicts`); those without a mean or without `base` are left out. A
    gain without an interval is a hollow square.
    """
    gains: list[tuple[float, float, float, str]] = []  # mean, low, high, variant
    for verdict in verdicts:
        if verdict["mean"] is None or base not in (verdict["a"], verdict["b"]):
            continue
        sign, variant = (1, verdict["b"]) if verdict["a"] == base else (-1, verdict["a"])
        low, high = sorted(100 * sign * bound for bound in _interval(verdict))
        gains.append((100 * sign * verdict["mean"], low, high, variant))
    gains.sort(key=lambda gain: gain[0])
    for y, (mean, low, high, _) in enumerate(gains):
        face = "white" if np.isnan(low) else COLOURS[0]
        style = {"fmt": "s", "color": COLOURS[0], "markerfacecolor": face, "capsize": 4}
        ax.errorbar(mean, y, xerr=[[mean - low], [high - mean]], **style)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set(xlabel=f"gain in test accuracy on {plain(base)} (percentage points)")
    ax.set_yticks(range(len(gains)), [plain(variant) for *_, variant in gains])
    return _hide_box(ax)


def differences(ax: Any, verdicts: list[dict[str, Any]]) -> Any:
    """Draw `verdicts.verdicts` over the grid: mean paired difference and interval, in percentage points.

    A line per pair of variants, its grid points at equal distances in the grid's order. A mean without an interval is a
    hollow square. The x axis tells how many trials diverged.
    """
    points = list(dict.fromkeys(plain_list(verdict["point"].values()) for verdict in verdicts))
    pairs = list(dict.fromkeys((verdict["a"], verdict["b"]) for verdict in verdicts))
    variants = len({name for pair in pairs for name in pair})  # their colours are taken, in the plot on the left
    offset = min(0.12, 0.8 / len(pairs))  # between the pairs at a point, so that none reaches the next point
    ax.axhline(0, color="0.4", linewidth=1)
    for i, (a, b) in enumerate(pairs):
        rows = [
            verdict for verdict in verdicts if (verdict["a"], verdict["b"]) == (a, b) and verdict["mean"] is not None
        ]
        positions = np.array([points.index(plain_list(row["point"].values())) for row in rows])
        x = positions + offset * (i - (len(pairs) - 1) / 2)
        means = 100 * np.array([row["mean"] for row in rows])
        low, high = 100 * np.array([_interval(row) for row in rows]).reshape(-1, 2).T
        marker, line = ("s", "-") if i < len(COLOURS) else ("o", "--")  # the colours repeat
        colour = COLOURS[(variants + i) % len(COLOURS)]
        style = {"fmt": marker + line, "color": colour, "label": f"{plain(b)} - {plain(a)}"}
        ax.errorbar(x, means, yerr=[means - low, high - means], capsize=min(4, 25 * offset), **style)
        bare = np.isnan(low)
        ax.plot(x[bare], means[bare], marker, color=colour, markerfacecolor="white", zorder=3)
    ax.set(xlabel=plain_list(verdicts[0]["point"]), ylabel="difference in test accuracy (percentage points)")
    diverged: dict[str, dict[str, int]] = {point: {} for point in points}
    for verdict in verdicts:
        diverged[plain_list(verdict["point"].values())] |= verdict["diverged"]
    return _finish_grid_axis(ax, diverged)


def accuracies(ax: Any, summary: pd.DataFrame, keys: list[str]) -> Any:
    """Draw the final test accuracy of a `tables.summary` over the grid columns `keys`, in %.

    A line per variant: mean over the seeds that finished, and with several bars of one standard deviation. Without a
    grid the variants stand next to each other. The x axis tells how many trials diverged.
    """
    rows: Any = summary[keys].astype(object).to_numpy()  # one by one: an array of all would make floats of integers
    point_of_row = pd.Series([plain_list(row) for row in rows], index=summary.index)
    points = list(dict.fromkeys(point_of_row))
    variants = list(dict.fromkeys(summary["variant"]))
    offset = 0.8 / len(variants) if len(points) == 1 else 0.0
    finished = summary.where(summary["outcome"] != "diverged")
    for i, variant in enumerate(variants):
        values: Any = finished.loc[summary["variant"] == variant, "final_test_accuracy"]
        cells = (100 * values).groupby(point_of_row, sort=False)
        means = cells.mean()
        x = [points.index(point) + offset * (i - (len(variants) - 1) / 2) for point in means.index]
        style = {"fmt": "o-", "color": COLOURS[i % len(COLOURS)], "capsize": 4, "label": plain(variant)}
        ax.errorbar(x, means.to_numpy(), yerr=cells.std(ddof=1).to_numpy(), **style)
    ax.set(xlabel=plain_list(keys), ylabel="final test accuracy (%)")
    is_diverged = summary["outcome"] == "diverged"
    counts: Any = is_diverged.groupby([point_of_row, summary["variant"]], sort=False).sum()
    return _finish_grid_axis(ax, {point: counts[point].to_dict() for point in points})


def digit(ax: Any, image: np.ndarray, label: int) -> Any:
    """Show one image (H, W), uint8, with its label as the title."""
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    ax.set(title=f"label {label}", xticks=[], yticks=[])
    return ax


def label_ends(ax: Any) -> Any:
    """Add a legend with each line's name and last value, in the order of the lines."""
    for line in ax.get_lines():
        values = np.asarray(line.get_ydata(), float)
        value = "no value" if np.isnan(values[-1]) else f"{values[-1]:.4f}"
        line.set_label(f"{line.get_label()}: {value} at the end")
    rising = "accuracy" in ax.get_title()
    ax.legend(frameon=False, loc="lower right" if rising else "upper right")
    return ax


def _interval(verdict: dict[str, Any]) -> tuple[float, float]:
    """Return a verdict's interval, NaN if it has none: Matplotlib draws no bar for NaN."""
    low, high = verdict["low"], verdict["high"]
    return (np.nan, np.nan) if low is None else (low, high)


def _finish_grid_axis(ax: Any, diverged: dict[str, dict[str, int]]) -> Any:
    """Name the points of the grid at the x axis, each with its numbers of diverged trials by variant, where not 0."""
    labels = [
        "\n".join([point, *(f"{count} {plain(name)} diverged" for name, count in counts.items() if count)])
        for point, counts in diverged.items()
    ]
    ax.set_xticks(range(len(labels)), labels)
    _draw_grid(ax, "y")
    ax.legend(frameon=False)
    return _hide_box(ax)


def _draw_grid(ax: Any, axis: str = "both") -> None:
    ax.grid(axis=axis, color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)


def _hide_box(ax: Any) -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
