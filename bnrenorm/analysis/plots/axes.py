"""Figures, one function each: `ax` and numbers in, `ax` out. Nothing is computed, opened, shown or saved here."""

from typing import Any

import numpy as np
import pandas as pd

# Okabe and Ito's colours, told apart with any colour vision; a second cue, the width, shows curves that coincide.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_WIDEST = 6.0
_MANY = 400  # numbers whose histogram is logarithmic


def curves(ax: Any, table: pd.DataFrame, metric: str) -> Any:
    """Draw `metric` over the steps of a `tables.curves` table: mean over seeds, and the band from least to greatest.

    The first variant is the widest line and every later one a narrower line on top of it, so that variants that
    coincide are all seen.
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
    ax.grid(color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def lines(ax: Any, table: pd.DataFrame, metric: str, key: str, colours: Any = COLOURS) -> Any:
    """Draw `metric` over the epochs of a `tables.curves` table, a line per value of column `key`: means over seeds."""
    names = list(dict.fromkeys(table[key]))
    for i, name in enumerate(names):
        mean: Any = table[table[key] == name].groupby("epoch")[metric].mean()
        style = "-" if i < len(colours) else "--"
        ax.plot(mean.index, mean, style, color=colours[i % len(colours)], linewidth=1.4, label=f"{name}")
    ax.set(xlabel="epoch", xlim=(0, table["epoch"].max()))
    ax.grid(color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def histogram(ax: Any, values: dict[str, np.ndarray], colours: Any = COLOURS) -> Any:
    """Draw the distribution of each array's finite numbers as an outline, on a logarithmic scale if there are many."""
    arrays = {name: array[np.isfinite(array)].ravel() for name, array in values.items()}
    whole = np.concatenate(list(arrays.values()))
    if whole.size:
        low, high = np.quantile(whole, (0.0005, 0.9995))
        margin = 0.1 * (high - low) or 0.1
        bins = np.linspace(low - margin, high + margin, 61 if max(map(len, arrays.values())) > _MANY else 21)
        for (name, array), colour in zip(arrays.items(), colours, strict=False):
            ax.stairs(np.histogram(array, bins)[0], bins, color=colour, label=name, linewidth=1.2)
    if max(map(len, arrays.values()), default=0) > _MANY:
        ax.set_yscale("log")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def turns(ax: Any, epochs: np.ndarray, values: np.ndarray) -> Any:
    """Mark each epoch in which a curve fell with a blue triangle down, and each in which it rose with a red one up."""
    change = np.diff(values)
    for sign, marker, colour in ((-1, "v", "#0072B2"), (1, "^", "#D55E00")):
        at = np.flatnonzero(np.sign(change) == sign) + 1
        ax.plot(epochs[at], values[at], marker, color=colour, markersize=5)
    ax.plot(epochs, values, color="0.6", linewidth=0.8, zorder=1)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def ranking(ax: Any, verdicts: list[dict[str, Any]], base: str) -> Any:
    """Draw what each variant gains on `base`, best first: mean paired difference and 95 % interval, in points."""
    rows = [verdict for verdict in verdicts if base in (verdict["a"], verdict["b"]) and verdict["mean"] is not None]
    signs = [1 if verdict["a"] == base else -1 for verdict in rows]
    names = [verdict["b"] if sign > 0 else verdict["a"] for verdict, sign in zip(rows, signs, strict=True)]
    found = []
    for verdict, sign in zip(rows, signs, strict=True):
        ends = [verdict["mean"] if verdict[end] is None else verdict[end] for end in ("low", "mean", "high")]
        found.append(sorted(100 * sign * value for value in ends))
    order = sorted(range(len(rows)), key=lambda i: found[i][1])
    for place, i in enumerate(order):
        low, mean, high = found[i]
        ax.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="s", color=COLOURS[0], capsize=4)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set(xlabel=f"gain in test accuracy on {base} (percentage points)")
    ax.set_yticks(range(len(rows)), [names[i] for i in order])
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def differences(ax: Any, verdicts: list[dict[str, Any]]) -> Any:
    """Draw `tables.verdicts`: mean paired difference and interval over the grid's points, a line per pair of variants.

    The points stand side by side in the grid's order; a verdict without an interval has only its mean.
    """
    points = list(dict.fromkeys(_point_name(verdict) for verdict in verdicts))
    pairs = list(dict.fromkeys((verdict["a"], verdict["b"]) for verdict in verdicts))
    first = len({name for pair in pairs for name in pair})  # a pair has another colour than the variants beside it
    beside = min(0.12, 0.8 / len(pairs))  # so that no pair comes to stand at another point
    ax.axhline(0, color="0.4", linewidth=1)
    for i, (a, b) in enumerate(pairs):
        rows = [
            verdict for verdict in verdicts if (verdict["a"], verdict["b"]) == (a, b) and verdict["mean"] is not None
        ]
        x = np.array([points.index(_point_name(row)) for row in rows]) + beside * (i - (len(pairs) - 1) / 2)
        means = 100 * np.array([row["mean"] for row in rows])
        bounds = [(row["low"], row["high"]) if row["low"] is not None else (row["mean"],) * 2 for row in rows]
        low, high = (100 * np.array(bound) for bound in zip(*bounds, strict=True))
        fmt = "s-" if i < len(COLOURS) else "o--"  # when colours begin again
        style = {"fmt": fmt, "color": COLOURS[(first + i) % len(COLOURS)], "label": f"{b} - {a}"}
        ax.errorbar(x, means, yerr=[means - low, high - means], capsize=min(4, 25 * beside), **style)
    keys = list(verdicts[0]["point"])
    ax.set(xlabel=", ".join(keys), ylabel="difference in test accuracy (percentage points)")
    ax.set_xticks(range(len(points)), points)
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def accuracies(ax: Any, summary: pd.DataFrame, keys: list[str]) -> Any:
    """Draw the final test accuracy of a `tables.summary` over the grid: mean over seeds and standard deviation."""
    points = list(dict.fromkeys(map(tuple, summary[keys].to_numpy().tolist())))
    for i, variant in enumerate(dict.fromkeys(summary["variant"])):
        cells: Any = summary[summary["variant"] == variant].groupby(keys, sort=False)["final_test_accuracy"]
        means = cells.mean()
        names: list[Any] = [name if isinstance(name, tuple) else (name,) for name in means.index]
        x = [points.index(name) for name in names]
        style = {"fmt": "o-", "color": COLOURS[i % len(COLOURS)], "capsize": 4, "label": variant}
        ax.errorbar(x, 100 * means.to_numpy(), yerr=100 * cells.std(ddof=1).fillna(0).to_numpy(), **style)
    ax.set(xlabel=", ".join(keys), ylabel="final test accuracy (%)")
    ax.set_xticks(range(len(points)), [", ".join(map(str, point)) for point in points])
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def _point_name(verdict: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in verdict["point"].values())


def digit(ax: Any, image: np.ndarray, label: int) -> Any:
    """Show one image (H, W), uint8, with its label as the title."""
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    ax.set(title=f"label {label}", xticks=[], yticks=[])
    return ax


def label_ends(ax: Any) -> Any:
    """Name each line with its last value in a legend, in the order of the lines."""
    for line in ax.get_lines():
        values = np.asarray(line.get_ydata(), float)
        line.set_label(f"{line.get_label()}: {values[-1]:.4f} at the end")
    rising = "accuracy" in ax.get_title()
    ax.legend(frameon=False, loc="lower right" if rising else "upper right")
    return ax
