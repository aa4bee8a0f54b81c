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
