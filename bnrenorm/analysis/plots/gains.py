"""Final accuracies and paired differences: over one axis of a grid, by step, by seed, and as a ranking.

Each function draws the numbers that it is given on `ax` and returns `ax`; differences are in percentage points.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis import intervals, over_steps
from bnrenorm.analysis.over_steps import Spread
from bnrenorm.analysis.plots.axes import BEYOND, bars, draw_grid, draw_spread, hide_box
from bnrenorm.analysis.plots.names import cell_key, minus, plain, plain_list
from bnrenorm.analysis.plots.style import Look, looks
from bnrenorm.analysis.plots.texts import KEPT, name_points, room_for_points
from bnrenorm.analysis.verdicts import Verdict, interval, pairs_of
from bnrenorm.numbers import number, within

PairLooks = dict[tuple[str, str], Look]
_BROKEN = 5  # lines below a point of the variants' names and what diverged of them, at most
_UNDER = 28  # characters of a pair's names under an axis, where its look tells which it is


def pair_looks(verdicts: list[Verdict], variants: Iterable[str]) -> PairLooks:
    """Return a look for every pair of variants, after those that the run's variants have, as in the report's charts."""
    return looks(((verdict["a"], verdict["b"]) for verdict in verdicts), skip=len(set(variants)))


def zone(ax: Any, verdicts: list[Verdict], *, across: str = "y", label: bool = True) -> None:
    """Draw no difference as a line, and the zone of equivalence around it in grey; across: the axis of differences."""
    line, span = (ax.axhline, ax.axhspan) if across == "y" else (ax.axvline, ax.axvspan)
    line(0, color="0.4", linewidth=1, zorder=0.6)
    for margin in {verdict["margin"] for verdict in verdicts}:
        name = f"equivalent: within {within(margin)}" if label else None
        span(-100 * margin, 100 * margin, color="0.85", linewidth=0, zorder=0.5, label=name)


def ranking(ax: Any, verdicts: list[Verdict], base: str) -> Any:
    """Draw the gain of each variant on `base`, the best on top: mean paired difference, 95 % interval, a dot a seed.

    `verdicts` are those of one grid point (`verdicts.verdicts`); those without a mean or without `base` are left out. A
    gain without an interval is a hollow square.
    """
    gains: list[tuple[float, float, float, str, np.ndarray]] = []  # mean, low, high, variant, by seed
    for verdict in verdicts:
        if verdict["mean"] is None or base not in (verdict["a"], verdict["b"]):
            continue
        sign, variant = (100, verdict["b"]) if verdict["a"] == base else (-100, verdict["a"])
        low, high = sorted(sign * bound for bound in _interval(verdict))
        gains.append((sign * verdict["mean"], low, high, variant, sign * np.array(verdict["differences"])))
    gains.sort(key=lambda gain: gain[0])
    zone(ax, verdicts, across="x")
    for y, (mean, low, high, _, by_seed) in enumerate(gains):
        ax.plot(by_seed, y + 0.22 + _spread_out(len(by_seed), 0.1), ".", color="0.55", markersize=4, zorder=1)
        style: Any = {"fmt": "s", "color": "black", "markerfacecolor": "white" if np.isnan(low) else "black"}
        ax.errorbar(mean, y, xerr=bars(mean, low, high), **style, capsize=4)
    ax.set(xlabel=f"gain in test accuracy on {plain(base)} (percentage points)")
    ax.set_yticks(range(len(gains)), [plain(variant) for *_, variant, _ in gains])
    draw_grid(ax, "x")
    return hide_box(ax)


def by_seed(ax: Any, verdicts: list[Verdict], styles: PairLooks) -> Any:
    """Draw the final differences of one grid point, pairs next to each other: a dot a seed, mean and 95 % interval."""
    zone(ax, verdicts, label=False)
    for x, verdict in enumerate(verdicts):
        style, values = styles[verdict["a"], verdict["b"]], 100 * np.array(verdict["differences"])
        ax.plot(x + _spread_out(len(values), 0.15), values, ".", color=style.color, alpha=0.6, markersize=5, zorder=2)
        if verdict["mean"] is not None:
            mean, (low, high) = 100 * verdict["mean"], (100 * bound for bound in _interval(verdict))
            face = "white" if np.isnan(low) else style.color
            kind: Any = {"fmt": style.marker, "color": style.color, "markerfacecolor": face, "zorder": 3, "capsize": 4}
            ax.errorbar(x + 0.32, mean, yerr=bars(mean, low, high), **kind)
    names = [minus(verdict["b"], verdict["a"], _UNDER) for verdict in verdicts]
    name_points(ax, [name.replace(" - ", f" -{KEPT}") for name in names])
    ax.set_xlim(-0.5, len(verdicts) - 0.3)
    draw_grid(ax, "y")
    return hide_box(ax)


def by_step(ax: Any, table: pd.DataFrame, verdicts: list[Verdict], styles: PairLooks) -> Any:
    """Draw the paired differences in test accuracy over the steps, for the pairs of `verdicts`, of one grid point.

    table: `tables.curves`. The band is the 95 % interval of the mean from 6 seeds on; below there is a line per seed.
    """
    zone(ax, verdicts)
    for i, (a, b) in enumerate(pairs_of(verdicts)):
        spread = over_steps.difference(table, a, b)
        points = Spread(100 * spread.values, 100 * spread.mean, 100 * spread.low, 100 * spread.high)
        draw_spread(ax, points, styles[a, b], minus(b, a), order=i)
    ax.set(xlabel="step", xlim=(0, BEYOND * table["step"].max()), ylabel="difference in test accuracy (points)")
    draw_grid(ax)
    return hide_box(ax)


def differences(ax: Any, verdicts: list[Verdict], styles: PairLooks) -> Any:
    """Draw `verdicts.verdicts` over the grid: mean paired difference and interval, in percentage points.

    A line per pair of variants, its grid points at equal distances in the grid's order; the points are joined if they
    are numbers of one axis. A mean without an interval is hollow. The x axis tells how many trials diverged.
    """
    points = list(dict.fromkeys(cell_key(verdict["point"].values()) for verdict in verdicts))
    offset = min(0.06, 0.3 / len(styles))  # between the pairs at a point, which stay near it
    zone(ax, verdicts)
    joined = _is_scale([tuple(verdict["point"].values()) for verdict in verdicts])
    for i, ((a, b), style) in enumerate(styles.items()):
        rows = [
            verdict for verdict in verdicts if (verdict["a"], verdict["b"]) == (a, b) and verdict["mean"] is not None
        ]
        positions = np.array([points.index(cell_key(row["point"].values())) for row in rows])
        x = positions + offset * (i - (len(styles) - 1) / 2)
        means = 100 * np.array([row["mean"] for row in rows])
        low, high = 100 * np.array([_interval(row) for row in rows]).reshape(-1, 2).T
        kind: Any = {"color": style.color, "marker": style.marker, "linestyle": style.linestyle if joined else "none"}
        ax.errorbar(x, means, yerr=bars(means, low, high), capsize=min(4, 80 * offset), **kind, label=minus(b, a))
        bare = np.isnan(low)
        ax.plot(x[bare], means[bare], style.marker, color=style.color, markerfacecolor="white", zorder=3)
    ax.set(xlabel=plain_list(verdicts[0]["point"]), ylabel="difference in test accuracy (points)")
    diverged: Any = {point: {} for point in points}
    for verdict in verdicts:
        counts = {name: (count, verdict["seeds"]) for name, count in verdict["diverged"].items()}
        diverged[cell_key(verdict["point"].values())] |= counts
    return _finish_grid_axis(ax, diverged)


def accuracies(ax: Any, summary: pd.DataFrame, keys: list[str]) -> Any:
    """Draw the final test accuracy of a `tables.summary` over the grid columns `keys`, in %.

    A line per variant: mean over the seeds that finished, from 6 seeds on with the 95 % interval of the mean. The
    points are joined if they are numbers of one axis; without a grid the variants stand next to each other. The x axis
    tells how many trials diverged.
    """
    rows: Any = summary[keys].astype(object).to_numpy()  # one by one: an array of all would make floats of integers
    joined = _is_scale(tuple(row) for row in rows)
    cell_of_row = [cell_key(row) for row in rows]
    places = {cell: place for place, cell in enumerate(dict.fromkeys(cell_of_row))}
    place_of_row = pd.Series([places[cell] for cell in cell_of_row], index=summary.index)
    variants = looks(summary["variant"])
    offset = 0.8 / len(variants) if len(places) == 1 else min(0.06, 0.3 / len(variants))
    finished = summary.where(summary["outcome"] != "diverged")
    for i, (variant, style) in enumerate(variants.items()):
        values: Any = finished.loc[summary["variant"] == variant, "final_test_accuracy"]
        cells = (100 * values).groupby(place_of_row, sort=False)
        means = cells.mean()
        bounds = np.array([intervals.mean_intervals(cell.to_numpy(float)[:, None]) for _, cell in cells])[..., 0]
        x = means.index.to_numpy() + offset * (i - (len(variants) - 1) / 2)
        kind: Any = {"color": style.color, "marker": style.marker, "linestyle": style.linestyle if joined else "none"}
        ax.errorbar(
            x, means.to_numpy(), yerr=bars(means.to_numpy(), *bounds.T), **kind, capsize=4, label=plain(variant)
        )
    ax.set(xlabel=plain_list(keys), ylabel="final test accuracy (%)")
    is_diverged = summary["outcome"] == "diverged"
    counts: Any = is_diverged.groupby([place_of_row, summary["variant"]], sort=False).agg(["sum", "size"])
    return _finish_grid_axis(ax, {cell: counts.loc[place].T.to_dict("list") for cell, place in places.items()})


def write_means(ax: Any) -> None:
    """Write the means that `accuracies` has drawn next to their points."""
    for drawn in ax.containers:
        for x, mean in drawn.lines[0].get_xydata():
            if mean == mean:
                ax.annotate(
                    number(mean, ".2f"), (x, mean), xytext=(0, -7), textcoords="offset points", ha="center", va="top"
                )
    ax.margins(y=0.12)


def _is_scale(points: Iterable[tuple[Any, ...]]) -> bool:
    """Whether grid points are numbers of one axis, between which a line makes sense."""
    cells = [point[0] if len(point) == 1 else None for point in points]
    return all(isinstance(cell, int | float) and not isinstance(cell, bool) and cell == cell for cell in cells)


def _spread_out(count: int, half_width: float) -> np.ndarray:
    """Return offsets (count,) that keep dots apart; the same every time."""
    return half_width * (2 * (np.arange(count) * 0.618 % 1) - 1)


def _interval(verdict: Verdict) -> tuple[float, float]:
    """Return a verdict's interval, NaN if it has none: Matplotlib draws no bar for NaN."""
    return interval(verdict) or (np.nan, np.nan)


def _is_short(lines: list[str], room: int) -> bool:
    """Tell whether some lines stand below a point in few lines of `room` characters, none of them slanted."""
    words = [word for line in lines for word in line.split(" ")]
    return max(map(len, words), default=0) <= room and sum(map(len, lines)) <= _BROKEN * room


def _finish_grid_axis(ax: Any, diverged: dict[tuple[str, ...], dict[str, Any]]) -> Any:
    """Name the points of the grid at the x axis, each with how many trials of how many diverged, by variant, if any."""
    room = room_for_points(ax, len(diverged))
    by_variant = {
        point: [f"{plain(name)} {n}{KEPT}of{KEPT}{of} diverged" for name, (n, of) in counts.items() if n]
        for point, counts in diverged.items()
    }
    if not all(_is_short(lines, room) for lines in by_variant.values()):
        sums = {point: np.sum(list(counts.values()), axis=0) for point, counts in diverged.items()}
        by_variant = {point: [f"{n}{KEPT}of{KEPT}{of} diverged"] * bool(n) for point, (n, of) in sums.items()}
    labels = ["\n".join([plain_list(point), *lines]) for point, lines in by_variant.items()]
    if len(labels) > 1:  # also where all trials of the first or the last point diverged
        margin = max(0.2, 0.05 * len(labels))
        ax.set_xlim(-margin, len(labels) - 1 + margin)
    name_points(ax, labels)
    draw_grid(ax, "y")
    return hide_box(ax)
