"""Single plots: each function draws the numbers that it is given on `ax` and returns `ax`.

Nothing is opened, shown or saved here; the only computations are means, extremes and standard deviations over seeds.
"""

from typing import Any

import numpy as np
import pandas as pd

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
        ax.plot(mean.index, mean, color=colour, linewidth=width, label=variant, solid_capstyle="butt", zorder=2 + i)
        ax.fill_between(mean.index, low, high, color=colour, alpha=0.25, linewidth=0, zorder=1)
    ax.set(xlabel="step", xlim=(0, table["step"].max()))
    _draw_grid(ax)
    return _hide_box(ax)


def lines(ax: Any, table: pd.DataFrame, metric: str, key: str, colours: Any = COLOURS) -> Any:
    """Draw a column of a `tables.curves` table over the epochs, means over seeds: a line per value of column `key`."""
    names = list(dict.fromkeys(table[key]))
    for i, name in enumerate(names):
        mean: Any = table[table[key] == name].groupby("epoch")[metric].mean()
        style = "-" if i < len(colours) else "--"
        ax.plot(mean.index, mean, style, color=colours[i % len(colours)], linewidth=1.4, label=f"{name}")
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
            ax.stairs(np.histogram(array, bins)[0], bins, color=colour, label=name, linewidth=1.2)
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

    `verdicts` are those of one grid point (`verdicts.verdicts`); those without a mean or without `base` are left out.
    """
    gains: list[tuple[float, float, float, str]] = []  # mean, low, high, variant
    for verdict in verdicts:
        if verdict["mean"] is None or base not in (verdict["a"], verdict["b"]):
            continue
        sign, variant = (1, verdict["b"]) if verdict["a"] == base else (-1, verdict["a"])
        mean = verdict["mean"]
        bounds = [mean if verdict[bound] is None else verdict[bound] for bound in ("low", "high")]
        low, high = sorted(100 * sign * bound for bound in bounds)
        gains.append((100 * sign * mean, low, high, variant))
    gains.sort(key=lambda gain: gain[0])
    for y, (mean, low, high, _) in enumerate(gains):
        ax.errorbar(mean, y, xerr=[[mean - low], [high - mean]], fmt="s", color=COLOURS[0], capsize=4)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set(xlabel=f"gain in test accuracy on {base} (percentage points)")
    ax.set_yticks(range(len(gains)), [variant for *_, variant in gains])
    return _hide_box(ax)


def differences(ax: Any, verdicts: list[dict[str, Any]]) -> Any:
    """Draw `verdicts.verdicts` over the grid: mean paired difference and interval, in percentage points.

    A line per pair of variants, its grid points at equal distances in the grid's order. A verdict without an interval
    shows only its mean.
    """
    points = list(dict.fromkeys(_point_name(verdict) for verdict in verdicts))
    pairs = list(dict.fromkeys((verdict["a"], verdict["b"]) for verdict in verdicts))
    variants = len({name for pair in pairs for name in pair})  # their colours are taken, in the plot on the left
    offset = min(0.12, 0.8 / len(pairs))  # between the pairs at a point, so that none reaches the next point
    ax.axhline(0, color="0.4", linewidth=1)
    for i, (a, b) in enumerate(pairs):
        rows = [
            verdict for verdict in verdicts if (verdict["a"], verdict["b"]) == (a, b) and verdict["mean"] is not None
        ]
        x = np.array([points.index(_point_name(row)) for row in rows]) + offset * (i - (len(pairs) - 1) / 2)
        means = 100 * np.array([row["mean"] for row in rows])
        bounds = [(row["low"], row["high"]) if row["low"] is not None else (row["mean"],) * 2 for row in rows]
        low, high = 100 * np.array(bounds).reshape(-1, 2).T
        fmt = "s-" if i < len(COLOURS) else "o--"  # the colours repeat
        style = {"fmt": fmt, "color": COLOURS[(variants + i) % len(COLOURS)], "label": f"{b} - {a}"}
        ax.errorbar(x, means, yerr=[means - low, high - means], capsize=min(4, 25 * offset), **style)
    keys = list(verdicts[0]["point"])
    ax.set(xlabel=", ".join(keys), ylabel="difference in test accuracy (percentage points)")
    return _finish_grid_axis(ax, points)


def accuracies(ax: Any, summary: pd.DataFrame, keys: list[str]) -> Any:
    """Draw the final test accuracy of a `tables.summary` over the grid columns `keys`, in %.

    A line per variant: mean over seeds, bars of one standard deviation.
    """
    points = list(dict.fromkeys(map(tuple, summary[keys].to_numpy().tolist())))
    for i, variant in enumerate(dict.fromkeys(summary["variant"])):
        cells: Any = summary[summary["variant"] == variant].groupby(keys, sort=False)["final_test_accuracy"]
        means = cells.mean()
        names: list[Any] = [name if isinstance(name, tuple) else (name,) for name in means.index]
        x = [points.index(name) for name in names]
        style = {"fmt": "o-", "color": COLOURS[i % len(COLOURS)], "capsize": 4, "label": variant}
        ax.errorbar(x, 100 * means.to_numpy(), yerr=100 * cells.std(ddof=1).fillna(0).to_numpy(), **style)
    ax.set(xlabel=", ".join(keys), ylabel="final test accuracy (%)")
    return _finish_grid_axis(ax, [", ".join(map(str, point)) for point in points])


def digit(ax: Any, image: np.ndarray, label: int) -> Any:
    """Show one image (H, W), uint8, with its label as the title."""
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    ax.set(title=f"label {label}", xticks=[], yticks=[])
    return ax


def label_ends(ax: Any) -> Any:
    """Add a legend with each line's name and last value, in the order of the lines."""
    for line in ax.get_lines():
        values = np.asarray(line.get_ydata(), float)
        line.set_label(f"{line.get_label()}: {values[-1]:.4f} at the end")
    rising = "accuracy" in ax.get_title()
    ax.legend(frameon=False, loc="lower right" if rising else "upper right")
    return ax


def _point_name(verdict: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in verdict["point"].values())


def _finish_grid_axis(ax: Any, points: list[str]) -> Any:
    ax.set_xticks(range(len(points)), points)
    _draw_grid(ax, "y")
    ax.legend(frameon=False)
    return _hide_box(ax)


def _draw_grid(ax: Any, axis: str = "both") -> None:
    ax.grid(axis=axis, color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)


def _hide_box(ax: Any) -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
