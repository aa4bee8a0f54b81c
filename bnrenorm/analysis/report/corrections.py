"""The chart of what the normalisation did: r and d with their limits, how many were clipped, distances."""

import re
from typing import Any

import numpy as np

from bnrenorm.analysis.over_steps import means, thin
from bnrenorm.analysis.report import captions
from bnrenorm.analysis.report.captions import joined
from bnrenorm.analysis.report.cells import Cells
from bnrenorm.analysis.report.chart import Chart, Entry, Select, axes, dot, hover, lone, rounded, source, tag, whole
from bnrenorm.analysis.report.charts import key, point_select, steps_each
from bnrenorm.analysis.report.palette import style
from bnrenorm.config.norms import Norm, Renorm
from bnrenorm.config.trial import Point
from bnrenorm.norm import schedule

_SHOWN = {
    "r": "r: batch std / running std",
    "d": "d: (batch mean - running mean) / running std",
    "r_clipped": "share of nodes whose r is clipped (%)",
    "d_clipped": "share of nodes whose d is clipped (%)",
    "mean_distance": "distance of the means: |batch - running| / running std",
    "std_distance": "distance of the deviations: |log(batch / running)|",
}
_QUANTILES = (
    "r and d: median over the nodes, band from their 5 % to their 95 % quantile, dotted the limits that the schedule "
    "sets (1 / r_max and r_max, -d_max and d_max). BN is r = 1 and d = 0 and is not drawn there."
)
_DIAGNOSED = re.compile(r"layer\d+_(mean|std)_distance").fullmatch
_RENORM_ONLY = ("r", "d", "r_clipped", "d_clipped")  # BN has r = 1 and d = 0, and clips all


def corrections(cells: Cells) -> Chart | None:
    """Return the corrections by step, layer and grid point: means over the seeds; None where nothing was normalised."""
    layers = cells.layers()
    if not layers:
        return None
    has_renorm = any(isinstance(trial.settings.norm, Renorm) for trial, _ in cells.results.trials)
    shown = [name for name in _SHOWN if has_renorm or name not in _RENORM_ONLY]
    chart = _empty(cells, has_renorm=has_renorm)
    chart.selects += [Select("Shown", [_SHOWN[name] for name in shown]), Select("Layer", layers), *point_select(cells)]
    steps = steps_each(len(shown) * len(layers) * len(cells.points) * len(cells.variants), cells.seeds)
    for i, name in enumerate(shown):
        for j, layer in enumerate(layers):
            for k, point in enumerate(cells.points):
                frame = _frame(cells, point, layer, name, steps)
                chart.frames[key(i, j, k, points=len(cells.points))] = frame
    return chart


def _empty(cells: Cells, *, has_renorm: bool) -> Chart:
    plot, drawn = axes("linear", y_axis_label=""), []
    for i in range(len(cells.variants)):
        look = style(i)
        lines, limits = (
            source(f"lines {i}", "name", "step", "middle", "low", "high"),
            source(f"limits {i}", "step", "low", "high"),
        )
        area: Any = {"fill_color": look.colour, "fill_alpha": 0.18, "name": tag(i)}
        plot.varea("step", "low", "high", source=lines, **area)
        line: Any = {"line_color": look.colour, "name": tag(i)}
        drawn.append(plot.line("step", "middle", source=lines, line_width=2.5, line_dash=look.dash, **line))
        dot(plot, source(f"lone {i}", "step", "value"), look.colour, tag(i))
        for bound in ("low", "high"):
            plot.line("step", bound, source=limits, line_width=1, line_dash=[1, 3], **line)
    tips = [
        ("", "@name"),
        ("step", "@step"),
        ("median", "@middle{0.0000}"),
        ("5 to 95 %", "@low{0.0000} to @high{0.0000}"),
    ]
    plot.add_tools(hover(drawn, tips, "vline"))
    seeds = "One seed." if cells.seeds == 1 else "Means over the seeds."
    caption = joined(seeds, _QUANTILES if has_renorm else "", captions.early_stopping(cells))
    title = "Corrections r and d" if has_renorm else "Distances of batch and running statistics"
    drawn_of = {trial.variant for trial, result in cells.results.trials if any(map(_DIAGNOSED, result.records))}
    legend = [Entry(tag(i), name, style(i)) for i, name in enumerate(cells.variants) if name in drawn_of]
    return Chart("corrections", title, caption, plot, legend)


def _frame(cells: Cells, point: Point, layer: str, name: str, steps: int) -> dict[str, Any]:
    sources: dict[str, dict[str, list[Any]]] = {}
    ends = []
    for i, variant in enumerate(cells.variants):
        norm = next((trial.settings.norm for trial, _ in cells.trials.get((point, variant), [])), None)
        is_drawn = isinstance(norm, Renorm) or name not in _RENORM_ONLY
        step, values = (
            _values(cells, point, variant, layer, name, steps) if is_drawn else (np.empty(0), np.empty((3, 0)))
        )
        sources[f"lines {i}"] = {"name": [variant] * len(step), "step": whole(step)}
        sources[f"lines {i}"] |= dict(zip(("low", "middle", "high"), map(rounded, values), strict=True))
        sources[f"lone {i}"] = lone(sources[f"lines {i}"]["step"], sources[f"lines {i}"]["middle"])
        limited, low, high = _limits(norm, name, step)
        sources[f"limits {i}"] = {"step": whole(limited), "low": rounded(low), "high": rounded(high)}
        diverged = cells.diverged(point, variant)
        if len(step) and np.isfinite(values[1][-1]) and not diverged.are_all:
            ends.append(f"{variant} ends at {values[1][-1]:.4g}")
        elif is_drawn and diverged.text:
            ends.append(diverged.text)
    alt = f"{_SHOWN[name]} of {layer} by training step: {'; '.join(ends) or 'no values'}."
    return {"sources": sources, "axis": _SHOWN[name].partition(":")[0], "alt": alt}


def _values(
    cells: Cells, point: Point, variant: str, layer: str, name: str, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return steps (T,) and means over the seeds (3, T): lower, middle and upper line; the outer ones may be NaN."""
    has_quantiles, is_share = name in ("r", "d"), name.endswith("clipped")
    sides = ("_low", "_high") if is_share else ("",)
    endings = ("_05", "_50", "_95") if has_quantiles else sides
    curves = [cells.curves(point, variant, f"{layer}_{name}{ending}") for ending in endings]
    step = curves[0].index.to_numpy()
    lines = np.array([means(of_seeds.to_numpy()) for of_seeds in curves])
    if not has_quantiles:
        nothing = np.full(len(step), np.nan)
        lines = np.array([nothing, (100 if is_share else 1) * lines.sum(axis=0), nothing])
    kept = thin(len(step), steps)
    return step[kept], lines[:, kept]


def _limits(norm: Norm | None, name: str, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the steps (T,) that have been taken, and the lower and the upper limit of r or d there; none of others."""
    if name not in ("r", "d") or not isinstance(norm, Renorm):
        return np.empty(0), np.empty(0), np.empty(0)
    r_max, d_max = schedule.limits(norm)
    taken = step[step > 0]
    high = np.atleast_1d((r_max if name == "r" else d_max)(taken - 1))  # a record comes after its step
    return taken, (1 / high if name == "r" else -high), high
