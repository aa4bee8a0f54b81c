"""Where axes end: at what the curves come to, or at the articles' limits."""

from collections import Counter
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bnrenorm.analysis import aggregates
from bnrenorm.analysis.over_steps import scale_of
from bnrenorm.analysis.plots.names import shorter
from bnrenorm.analysis.verdicts import Verdict

AxesChoice = Literal["effect", "article"]
"""Axes on which a small effect is seen, or those of the articles, which are the same for every run."""

ARTICLE = {"loss": (0.0, 4.0), "accuracy": (0.0, 100.0)}
_FARTHEST = 4.0  # a curve leaves the axis below the median by so many times the distance from the median to the best
_MOST_THAT_LEAVE = 1 / 3
_FEW = 6  # curves or means all stay on the axis
_DECADES = 100  # on a logarithmic axis over more, numbers between powers of ten would touch each other
_SMALLEST = 0.4  # of an axis of accuracies, in %
_PER_INCH, _SHORTEST = 15, 8  # characters of a line's name in a panel: per inch, and at least


def set_limits(axes: Any, table: pd.DataFrame, metrics: list[str], choice: AxesChoice) -> None:
    """End the y axes of panels of one kind of `metrics`, losses or accuracies, columns of a `tables.curves` table.

    "effect": accuracies span what the variants come to in the second half of the training, where these are few their
    bands too; losses are logarithmic over all of it; a few curves that are far worse than the others leave the panel
    (`name_those_outside`).
    """
    kind = metrics[0].rpartition("_")[2]
    if choice == "article":
        for ax in axes:
            ax.set_ylim(ARTICLE[kind])
        return
    means = mean_curves(table, metrics)
    low, high = _accuracies(means) if kind == "accuracy" else _losses(means)
    if kind == "accuracy":
        late = np.concatenate([bands(ax) for ax in axes])
        high = late.max(initial=high)
        if len(means) <= _FEW and len(late):
            low = min(low, max(late.min(), _lowest(late, _SMALLEST)))
    for ax in axes:
        if kind == "loss":
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high <= _DECADES * low else (1,)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(low, high)


def bands(ax: Any, since: float = 0.5) -> np.ndarray:
    """Return what the bands and single lines of `ax` span since a share of the training, by default its second half."""
    paths = [path.vertices for band in ax.collections for path in band.get_paths()]
    late = [path[path[:, 0] > since * path[:, 0].max(), 1] for path in paths if len(path)]
    values = np.concatenate([np.empty(0), *late])
    return values[np.isfinite(values)]


def mean_curves(table: pd.DataFrame, metrics: list[str]) -> list[np.ndarray]:
    """Return the means over seeds of every variant and grid point, a curve (T,) per metric, after the first step.

    They are as they are drawn: accuracies in %.
    """
    keys = [key for key in aggregates.keys_of(table, "step") if key != "seed"]
    trained: Any = table[table["epoch"] > 0]
    means: Any = trained.groupby([*keys, "step"], sort=False, dropna=False)[metrics].mean()
    by_curve = means.groupby(keys, sort=False, dropna=False)
    return [scale_of(metric) * curve[metric].to_numpy(float) for _, curve in by_curve for metric in metrics]


def _accuracies(curves: list[np.ndarray]) -> tuple[float, float]:
    late = np.concatenate([curve[len(curve) // 2 :] for curve in curves])
    late = late[np.isfinite(late)]
    if not len(late):
        return ARTICLE["accuracy"]
    low, high = float(late.min()), float(late.max())
    if len(curves) > _FEW:
        low = max(low, _lowest(late, _SMALLEST))
    margin = max(0.06 * (high - low), (_SMALLEST - (high - low)) / 2)
    return low - margin, high + margin


def _lowest(values: np.ndarray, smallest: float) -> float:
    median, high = float(np.median(values)), float(values.max())
    return median - _FARTHEST * max(high - median, smallest)


def focus(ax: Any) -> None:
    """End the y axis of `gains.accuracies` where up to a third of the means, which are far worse, leave it.

    These are written at the lower edge.
    """
    means = {line: np.asarray(line.get_ydata(), float) for line in (bars.lines[0] for bars in ax.containers)}
    pooled = np.concatenate(list(means.values()))
    pooled = pooled[np.isfinite(pooled)]
    if len(pooled) <= _FEW or not 0 < np.mean(pooled < (low := _lowest(pooled, _SMALLEST))) <= _MOST_THAT_LEAVE:
        return
    worse = [
        (place, x, mean, line)
        for line, values in means.items()
        for place, (x, mean) in enumerate(zip(line.get_xdata(), values, strict=True))
        if mean < low
    ]
    at_place = Counter(place for place, *_ in worse)
    span = ax.dataLim.y1 - low
    edge = low - (0.02 + 0.04 * max(at_place.values())) * span  # below the worst of those that stay
    ax.set_ylim(edge, ax.dataLim.y1 + 0.06 * span)
    for place, x, mean, line in worse:
        at_place[place] -= 1
        offset: Any = {"xytext": (0, 2 + 11 * at_place[place]), "textcoords": "offset points", "ha": "center"}
        box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5}
        text: Any = {"color": line.get_color(), "fontsize": "small", "bbox": box, "zorder": 5}
        ax.annotate(f"↓ {mean:.1f}", (x, edge), **offset, **text)


def widen(panels: list[Any], verdicts: list[Verdict]) -> None:
    """Make the y axes of panels of differences logarithmic beyond 1 point if a few `verdicts` dwarf the others."""
    sizes = [100 * abs(verdict["mean"]) for verdict in verdicts if verdict["mean"] is not None]
    if not sizes or max(sizes) <= 8 * max(1.0, float(np.median(sizes))):
        return
    low, high = min(ax.dataLim.y0 for ax in panels), max(ax.dataLim.y1 for ax in panels)
    for ax in panels:
        ax.set_yscale("symlog", linthresh=1.0)
        ax.set_ylim(min(-1.0, 1.6 * low), max(1.0, 1.6 * high))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if ax.get_ylabel():
            ax.set_ylabel(f"{ax.get_ylabel()}\nlogarithmic beyond 1 point")


def _losses(curves: list[np.ndarray]) -> tuple[float, float]:
    positive = [curve[np.isfinite(curve) & (curve > 0)] for curve in curves]
    positive = [curve for curve in positive if len(curve)]
    if not positive:
        return 0.1, ARTICLE["loss"][1]
    lowest, begin = min(curve.min() for curve in positive), float(np.median([curve[0] for curve in positive]))
    highest = max(curve.max() for curve in positive)
    return 0.9 * lowest, 1.1 * min(highest, max(2 * begin, 4 * float(np.median([curve[-1] for curve in positive]))))


def name_those_outside(ax: Any) -> None:
    """Name at the edges the lines that end below or above, with their last values.

    A line that does not end with a finite value is of trials that diverged; it is named if nothing of it is seen.
    """
    low, high = ax.get_ylim()
    room = int(_PER_INCH * ax.get_window_extent().width / ax.figure.dpi)
    for line in ax.get_lines():
        values = np.asarray(line.get_ydata(), float)
        finite = values[np.isfinite(values)]
        has_end = np.isfinite(values[-1:]).all()
        seen = values[-1:] if has_end else finite
        if len(seen) and seen.max() >= low and seen.min() <= high:
            continue
        is_below = len(seen) > 0 and seen.max() < low
        side = "bottom" if is_below else "top"
        named = sum(text.get_verticalalignment() == side for text in ax.texts)
        place: Any = {"y": 0.03 + 0.1 * named if is_below else 0.97 - 0.1 * named, "va": side}
        arrow = ("↓ " if is_below else "↑ ") if len(finite) else ""
        value = f": {values[-1]:.3g}" if has_end else " diverged"
        name = shorter(line.get_label(), max(_SHORTEST, room - len(arrow + value)))
        text = f"{arrow}{name}{value}"
        place |= {"ha": "right", "transform": ax.transAxes, "fontsize": "small"}  # where few curves pass by the end
        box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.5}
        ax.text(0.97, s=text, color=line.get_color(), bbox=box, zorder=5, **place)
