"""Figures, one function each: `ax` and numbers in, `ax` out. Nothing is computed, opened, shown or saved here."""

from typing import Any

import numpy as np
import pandas as pd

# Okabe and Ito's colours, told apart with any colour vision; a second cue, the width, shows curves that coincide.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_WIDEST = 6.0


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


def differences(ax: Any, verdicts: list[dict[str, Any]]) -> Any:
    """Draw `tables.verdicts`: mean paired difference and interval over the grid's points, a line per pair of variants.

    The points stand side by side in the grid's order; a verdict without an interval has only its mean.
    """
    points = list(dict.fromkeys(_point_name(verdict) for verdict in verdicts))
    pairs = list(dict.fromkeys((verdict["a"], verdict["b"]) for verdict in verdicts))
    first = len({name for pair in pairs for name in pair})  # a pair has another colour than the variants beside it
    ax.axhline(0, color="0.4", linewidth=1)
    for i, (a, b) in enumerate(pairs):
        rows = [
            verdict for verdict in verdicts if (verdict["a"], verdict["b"]) == (a, b) and verdict["mean"] is not None
        ]
        x = np.array([points.index(_point_name(row)) for row in rows]) + 0.12 * (i - (len(pairs) - 1) / 2)
        means = 100 * np.array([row["mean"] for row in rows])
        bounds = [(row["low"], row["high"]) if row["low"] is not None else (row["mean"],) * 2 for row in rows]
        low, high = (100 * np.array(bound) for bound in zip(*bounds, strict=True))
        style = {"fmt": "s-", "color": COLOURS[(first + i) % len(COLOURS)], "capsize": 4, "label": f"{b} - {a}"}
        ax.errorbar(x, means, yerr=[means - low, high - means], **style)
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


def end_labels(ax: Any) -> Any:
    """Name each line with its last value in a legend, in the order of the lines."""
    for line in ax.get_lines():
        values = np.asarray(line.get_ydata(), float)
        line.set_label(f"{line.get_label()}: {values[-1]:.4f} at the end")
    rising = "accuracy" in ax.get_title()
    ax.legend(frameon=False, loc="lower right" if rising else "upper right")
    return ax
