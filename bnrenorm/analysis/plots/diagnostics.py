"""What the normalisation did: r and d with their limits, shares clipped, and the gap between training and inference."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bnrenorm.analysis import intervals, over_steps
from bnrenorm.analysis.plots.axes import BEYOND, bars, draw_grid, draw_spread, hide_box
from bnrenorm.analysis.plots.names import cell_key, plain, plain_list
from bnrenorm.analysis.plots.pages import spread_of
from bnrenorm.analysis.plots.style import Look, looks, own_settings
from bnrenorm.analysis.plots.texts import heading, legend_of_figure, name_points, title_figure
from bnrenorm.config import Trial
from bnrenorm.config.trial import short
from bnrenorm.norm import schedule

_LAYERS = 4
_LIMIT: Any = {"color": "0.35", "linewidth": 1}
_NEUTRAL = {"r": 1, "d": 0, "clipped": 0, "gap": 0}
_SMALLEST = 0.02  # of an axis of r or d
_BY_STEP, _BY_POINT = 36, 32  # characters of a line above or below a panel, whose labels may take room


@own_settings()
def figure(table: pd.DataFrame, trials: list[Trial], title: str) -> Figure:
    """Draw a `tables.diagnostics` table: r, d and the shares clipped of the first four layers, a row each, and the gap.

    Without a grid the x axis is the step, else the grid point, at the last record. r and d are medians over the nodes,
    with bands (bars) from the 5 % to the 95 % quantile of the nodes, all means over the seeds; dashes are the limits.
    Other variants than those with renormalisation have the gap only.
    """
    shown = _Shown(table, trials)
    size = (3.3 * (3 if shown.layers else 1) + 4.2, max(4.2, 2.7 * len(shown.layers) + 1.3))
    page = Figure(figsize=size)
    rows = [[("r", layer), ("d", layer), ("clipped", layer), ("gap", 0)] for layer in shown.layers] or [[("gap", 0)]]
    mosaic: Any = [[f"{value}{layer}" for value, layer in row] for row in rows]
    panels = page.subplot_mosaic(mosaic)
    for value, layer in {panel: None for row in rows for panel in row}:
        ax = panels[f"{value}{layer}"]
        (_draw_by_step if shown.is_over_time else _draw_by_point)(ax, shown, value, layer)
        ax.axhline(_NEUTRAL[value], color="0.5", linewidth=0.8, zorder=1)
        ax.set_title(heading(shown.heading(value, layer), _BY_STEP if shown.is_over_time else _BY_POINT))
        draw_grid(ax, "both" if shown.is_over_time else "y")
        hide_box(ax)
        if layer not in (0, shown.layers[-1] if shown.layers else 0):
            ax.tick_params(labelbottom=False)
            ax.set_xlabel("")
    handles, labels = panels["gap0"].get_legend_handles_labels()
    if shown.layers:
        marks: Any = {"color": "0.35", "marker": "o"}
        solid, dotted = ("-", ":") if shown.is_over_time else ("none", "none")
        handles.append(Line2D([], [], **marks, linestyle=solid))
        handles.append(Line2D([], [], **marks, linestyle=dotted, markerfacecolor="white"))
        handles += [Line2D([], [], **_LIMIT, linestyle="--")]
        labels += ["r clipped", "d clipped", "limit"]
    legend_of_figure(page, list(zip(labels, handles, strict=True)), most=len(labels))
    moment = "" if shown.is_over_time else " at the last record"
    seeds = spread_of(table) if shown.is_over_time else spread_of(table).replace("band", "bars").partition(", thin")[0]
    nodes = "r and d: median and 5 to 95 % of the nodes; accuracies: " if shown.layers else ""
    title_figure(page, f"{title}: what the normalisation did{moment} ({nodes}{seeds})")
    return page


@dataclass(frozen=True)
class _Shown:
    """The table, and which of its variants and layers are shown how."""

    table: pd.DataFrame
    trials: list[Trial]

    @cached_property
    def looks(self) -> dict[str, Look]:
        return looks(trial.variant for trial in self.trials)

    @cached_property
    def points(self) -> list[Any]:
        return list(dict.fromkeys(trial.point for trial in self.trials))

    @property
    def is_over_time(self) -> bool:
        return len(self.points) == 1

    @cached_property
    def renorm(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.settings.norm.kind == "renorm"]

    @cached_property
    def layers(self) -> list[int]:
        matches = (re.fullmatch(r"layer(\d+)_r_50", column) for column in self.table)
        return sorted(int(match[1]) for match in matches if match)[:_LAYERS] if self.renorm else []

    def variants(self, value: str) -> Iterator[tuple[int, str, Look, pd.DataFrame]]:
        """Yield the variants that have r and d, or a gap, with their place, look and rows."""
        wanted = {trial.variant for trial in self.renorm} if value != "gap" else set(self.looks)
        for i, (name, look) in enumerate(self.looks.items()):
            rows: Any = self.table[self.table["variant"] == name]
            if name in wanted and rows["inference_mode_accuracy"].notna().any():
                yield (
                    i,
                    name,
                    look,
                    rows.assign(gap=100 * (rows["inference_mode_accuracy"] - rows["training_mode_accuracy"])),
                )

    def heading(self, value: str, layer: int) -> str:
        if value == "gap":
            return "inference - training mode (points)"
        if value == "clipped":
            return f"layer {layer}: nodes clipped (%)"
        ends = [f"{end:g}" for end in sorted({getattr(trial.settings.norm, f"{value}_max") for trial in self.renorm})]
        limits = ", ".join(ends[:3])
        limits = f"{limits} ..." if len(ends) > 3 else " or ".join(limits.rsplit(", ", 1))
        return f"layer {layer}: {value}, limit {limits}"


def _draw_by_step(ax: Any, shown: _Shown, value: str, layer: int) -> None:
    extent: list[float] = []
    for i, name, look, rows in shown.variants(value):
        kind: Any = {"color": look.color, "marker": look.marker, "markersize": 4}
        if value == "gap":
            draw_spread(ax, over_steps.spread(over_steps.by_seed(rows, "gap")), look, plain(name), order=i)
            continue
        by_step: Any = rows.groupby("step").mean(numeric_only=True)
        means = by_step.dropna(subset=[f"layer{layer}_r_50"])
        steps, every = means.index.to_numpy(), max(1, len(means) // 6)
        if value == "clipped":
            for part, face, line in (("r", look.color, "-"), ("d", "white", ":")):
                ax.plot(
                    steps, _clipped(means, layer, part), **kind, markerfacecolor=face, linestyle=line, markevery=every
                )
            continue
        low, middle, high = (means[f"layer{layer}_{value}_{quantile}"].to_numpy() for quantile in ("05", "50", "95"))
        ax.plot(steps, middle, **kind, linestyle=look.linestyle, markevery=every)
        ax.fill_between(steps, low, high, color=look.color, alpha=0.2, linewidth=0)
        trial = next(trial for trial in shown.renorm if trial.variant == name)
        for bound in _bounds(trial, steps, value):
            ax.plot(steps, bound, **_LIMIT, linestyle="--", zorder=1)
        extent += [*low, *high]
    ax.set(xlabel="step", xlim=(0, BEYOND * shown.table["step"].max()))
    _end_y(ax, value, extent)


def _draw_by_point(ax: Any, shown: _Shown, value: str, layer: int) -> None:
    keys = [key for key, _ in shown.points[0]]
    labels = [plain_list(cell for _, cell in point) for point in shown.points]
    extent: list[float] = []
    variants = list(shown.variants(value))
    offset = 0.6 / max(1, len(variants))
    for i, (_, name, look, rows) in enumerate(variants):
        last: Any = rows.groupby([*keys, "seed"], sort=False, dropna=False).tail(1)
        cells = [cell_key(row) for row in last[keys].astype(object).to_numpy()]
        shift, kind = offset * (i - (len(variants) - 1) / 2), {"color": look.color, "marker": look.marker}
        spans: list[tuple[float, float, float, float]] = []  # x, low, middle, high
        for x, point in enumerate(shown.points):
            of_point = last[[cell == cell_key(value for _, value in point) for cell in cells]]
            means: Any = of_point.mean(numeric_only=True)
            if value == "gap":
                low, high = (bound[0] for bound in intervals.mean_intervals(of_point["gap"].to_numpy(float)[:, None]))
                spans.append((x + shift, low, means["gap"], high))
            elif value == "clipped":
                for part, face in (("r", look.color), ("d", "white")):
                    style: Any = {**kind, "markerfacecolor": face, "linestyle": "none", "markersize": 5}
                    ax.plot(x + shift, _clipped(means, layer, part), **style)
            else:
                low, middle, high = (means[f"layer{layer}_{value}_{quantile}"] for quantile in ("05", "50", "95"))
                spans.append((x + shift, low, middle, high))
                extent += [low, high]
                of_name = (trial for trial in shown.renorm if (trial.variant, trial.point) == (name, point))
                for trial in list(of_name)[:1]:
                    for bound in _bounds(trial, of_point["step"].to_numpy()[:1], value):
                        ax.hlines(bound, x + shift - offset / 2, x + shift + offset / 2, **_LIMIT, linestyle="--")
        if spans:
            at, low, middle, high = np.array(spans).T
            style = {**kind, "linestyle": "none", "markersize": 5, "label": plain(name)}
            ax.errorbar(at, middle, yerr=bars(middle, low, high), **style)
    name_points(ax, labels)
    ax.set_xlim(-0.5, len(labels) - 0.5)
    ax.set_xlabel(heading(plain_list(short(key) for key in keys), _BY_POINT))
    _end_y(ax, value, extent)


def _end_y(ax: Any, value: str, extent: list[float]) -> None:
    """End the y axis of r or d at what they were: limits that are far from it, and do not matter, leave the panel."""
    finite = np.array([_NEUTRAL[value], *extent])[np.isfinite([_NEUTRAL[value], *extent])]
    if value in "rd":
        margin = max(0.15 * (finite.max() - finite.min()), _SMALLEST)
        ax.set_ylim(finite.min() - margin, finite.max() + margin)
    if value == "clipped":
        top = max(10.0, ax.dataLim.y1)
        ax.set_ylim(-0.04 * top, 1.06 * top)


def _bounds(trial: Trial, steps: np.ndarray, value: str) -> list[np.ndarray]:
    r_max, d_max = (ramp(np.maximum(steps - 1, 0)) for ramp in schedule.limits(trial.settings.norm))
    return [r_max, 1 / r_max] if value == "r" else [d_max, -d_max]


def _clipped(means: Any, layer: int, part: str) -> Any:
    return 100 * (means[f"layer{layer}_{part}_clipped_high"] + means[f"layer{layer}_{part}_clipped_low"])
