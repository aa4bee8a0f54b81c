"""The report's charts over the training steps: curves, paired differences, corrections, the gap between the modes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from bokeh.layouts import column
from bokeh.models import BoxAnnotation, Span

from bnrenorm.analysis.over_steps import STEPS, Spread, scale_of, spread, thin
from bnrenorm.analysis.report import captions, tables, words
from bnrenorm.analysis.report.captions import joined
from bnrenorm.analysis.report.cells import Cells, Diverged
from bnrenorm.analysis.report.chart import Chart, Entry, Select, axes, dot, hover, lone, rounded, source, tag, whole
from bnrenorm.analysis.report.palette import style
from bnrenorm.analysis.stats import MIN_PAIRS
from bnrenorm.analysis.verdicts import few_pairs, pairs_of
from bnrenorm.config.trial import point_text
from bnrenorm.numbers import within

_NUMBERS = 30_000  # steps of all bands of a chart together
_VALUES = 20_000  # of one band, all seeds together: intervals of more take longer than anyone would wait
_FEWEST = 12
_PAIRS = 12  # of variants, whose differences can be told apart in a chart
_ROUNDING = 1e-9

METRICS = {
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "train_accuracy": "training accuracy",
    "train_loss": "training loss",
    "validation_accuracy": "validation accuracy",
    "validation_loss": "validation loss",
}
"""Columns of the curves with their names."""

_TOOLTIPS = [("", "@name"), ("step", "@step"), ("mean", "@mean{0.0000}"), ("95 %", "@low{0.0000} to @high{0.0000}")]
_TOOLTIPS += [("seeds", "@seeds")]


def curves(cells: Cells) -> Chart:
    """Return losses and accuracies by step: means with bands, single lines below 6 seeds; crosses for divergence."""
    metrics = [name for name in METRICS if any(name in result.records for _, result in cells.results.trials)]
    steps = steps_each(len(metrics) * len(cells.points) * len(cells.variants), cells.seeds)
    chart = over_steps("curves", "Curves", cells.variants, has_log=True)
    chart.selects += [Select("Shown", [METRICS[name] for name in metrics]), *point_select(cells)]
    ended = source("ended", "name", "seed", "step", "value")
    for plot in chart.model.children:
        crosses = plot.scatter("step", "value", source=ended, marker="x", size=10, line_width=2, line_color="#c00000")
        plot.add_tools(hover([crosses], [("", "@name, seed @seed diverged"), ("last value at step", "@step")]))
    for i, metric in enumerate(metrics):
        factor = scale_of(metric)
        of = " (%)" if factor == 100 else f", {cells.results.loss}"
        for j, point in enumerate(cells.points):
            drawn = [cells.curves(point, variant, metric) for variant in cells.variants]
            told = [cells.diverged(point, variant) for variant in cells.variants]
            frame = frame_of(drawn, cells.variants, steps, factor, f"{METRICS[metric]}{of}", told)
            ends = [(variant, *end) for variant in cells.variants for end in cells.ended_early(point, variant, metric)]
            frame["sources"]["ended"] = {
                "name": [end[0] for end in ends],
                "seed": [end[1] for end in ends],
                "step": whole([end[2] for end in ends]),
                "value": rounded([factor * end[3] for end in ends]),
            }
            chart.frames[key(i, j, points=len(cells.points))] = frame
    more = len({point for point, _ in cells.trials}) - len(cells.points)
    rest = f"{more} more grid points are in curves.csv." if more else ""
    return _finished(chart, cells, "", captions.crosses(chart.frames), rest)


def differences(cells: Cells) -> Chart | None:
    """Return the paired differences in test accuracy by step, in points, with the zone of equivalence; or None."""
    every = pairs_of(cells.results.verdicts)
    if not every:
        return None
    verdicts, base = few_pairs(cells.results.verdicts, _PAIRS)
    pairs = pairs_of(verdicts)
    rest = f"Of {len(every)} pairs, those with {base} are drawn." if base else ""
    names = [f"{b} - {a}" for a, b in pairs]
    steps = steps_each(len(pairs) * len(cells.points), cells.seeds)
    margin = 100 * verdicts[0]["margin"]
    caption = (
        f"Paired: {words.paired(cells.results)}. Grey zone: differences below "
        f"{within(verdicts[0]['margin'])}, which count as equivalent."
    )
    chart = over_steps("differences", "Paired differences over the training", names, first=len(cells.variants))
    chart.model.add_layout(BoxAnnotation(bottom=-margin, top=margin, fill_color="#808080", fill_alpha=0.15))
    chart.model.add_layout(Span(location=0, dimension="width", line_color="#808080"))
    chart.selects += point_select(cells)
    for j, point in enumerate(cells.points):
        drawn = [cells.differences(point, a, b, "test_accuracy") for a, b in pairs]
        told = [cells.diverged(point, *pair) for pair in pairs]
        chart.frames[key(j, points=len(cells.points))] = frame_of(drawn, names, steps, 100, "difference (points)", told)
    return _finished(chart, cells, caption, rest)


def gap(cells: Cells) -> Chart | None:
    """Return the accuracy in inference mode less that in training mode, on the same images by the same weights."""
    modes = ("training_mode_accuracy", "inference_mode_accuracy")
    if not any(all(mode in result.records for mode in modes) for _, result in cells.results.trials):
        return None
    chart = over_steps("gap", "Gap between training and inference", cells.variants)
    chart.model.add_layout(Span(location=0, dimension="width", line_color="#808080"))
    chart.selects += point_select(cells)
    axis = "inference - training (points)"
    steps = steps_each(len(cells.points) * len(cells.variants), cells.seeds)
    for j, point in enumerate(cells.points):
        of_modes = [[cells.curves(point, variant, mode) for variant in cells.variants] for mode in modes]
        drawn = [inference - training for training, inference in zip(*of_modes, strict=True)]
        told = [cells.diverged(point, variant) for variant in cells.variants]
        chart.frames[key(j, points=len(cells.points))] = frame_of(drawn, cells.variants, steps, 100, axis, told)
    return _finished(chart, cells, captions.modes(cells))


def _finished(chart: Chart, cells: Cells, begin: str, *end: str) -> Chart:
    """Return the chart with its caption, and a legend of what any of its frames has values of."""
    chart.caption = joined(begin, captions.seeds_drawn(chart.frames), captions.early_stopping(cells), *end)
    sources = [frame["sources"] for frame in chart.frames.values()]
    chart.legend = [
        entry
        for i, entry in enumerate(chart.legend)
        if any(value is not None for of in sources for value in of[f"mean {i}"]["mean"])
    ]
    return chart


def over_steps(key: str, title: str, names: Sequence[str], *, has_log: bool = False, first: int = 0) -> Chart:
    """Return a chart without data or caption: per name a band, its mean, single lines, on one axis or on both kinds.

    first: the style of the first name.
    """
    means = [source(f"mean {i}", "name", "step", "mean", "low", "high", "seeds") for i in range(len(names))]
    lines = [source(f"lines {i}", "xs", "ys", "name", "seed") for i in range(len(names))]
    lone_values = [source(f"lone {i}", "step", "value") for i in range(len(names))]
    plots = []
    for scale in ("linear", "log") if has_log else ("linear",):
        plot = axes(scale, y_axis_type=scale, y_axis_label="")
        drawn, single = [], []
        for i in range(len(names)):
            look = style(first + i)
            line: Any = {"line_color": look.colour, "name": tag(i)}
            area: Any = {"fill_color": look.colour, "fill_alpha": 0.18, "name": tag(i)}
            plot.varea("step", "low", "high", source=means[i], **area)
            single.append(plot.multi_line("xs", "ys", source=lines[i], line_width=1, line_alpha=0.5, **line))
            drawn.append(plot.line("step", "mean", source=means[i], line_width=2.5, line_dash=look.dash, **line))
            dot(plot, lone_values[i], look.colour, tag(i))
        plot.add_tools(hover(drawn, _TOOLTIPS, "vline"), hover(single, [("", "@name, seed @seed"), ("", "$y")]))
        if scale == "log":
            plot.y_range.renderers = drawn  # type: ignore  # a band may reach below 0, which has no logarithm
        plots.append(plot)
    if has_log:
        plots[1].visible = False
    legend = [Entry(tag(i), name, style(first + i)) for i, name in enumerate(names)]
    model = column(*plots, sizing_mode="stretch_width") if has_log else plots[0]
    return Chart(key, title, "", model, legend, has_log=has_log)


def frame_of(
    drawn: Sequence[pd.DataFrame],
    names: Sequence[str],
    steps: int,
    factor: float,
    axis: str,
    told: Sequence[Diverged],
) -> dict[str, Any]:
    """Return the data of bands, or of single lines where there are too few seeds for bands, and what they come to.

    told: for every curve the trials of it that diverged: they have no end.
    """
    sources: dict[str, dict[str, list[Any]]] = {}
    ends = []
    for i, (all_steps, name, diverged) in enumerate(zip(drawn, names, told, strict=True)):
        few = all_steps.iloc[thin(len(all_steps), steps)]
        all_seeds = spread(few)
        sources[f"mean {i}"] = _shown(all_seeds, factor, name)
        sources[f"lone {i}"] = lone(sources[f"mean {i}"]["step"], sources[f"mean {i}"]["mean"])
        most = max(all_seeds.seeds, default=0)
        sources[f"lines {i}"] = _single(few if 1 < most < MIN_PAIRS else few[[]], factor, name)
        ends.append(_end(name, factor * all_seeds.mean, 2 if factor == 100 else 4, diverged))
    alt = f"{axis[0].upper()}{axis[1:]} by training step: {'; '.join(dict.fromkeys(ends))}."
    return {"sources": sources, "axis": axis, "alt": alt}


def _end(name: str, mean: np.ndarray, digits: int, diverged: Diverged) -> str:
    """Return "BRN ends at 88.4" if a seed comes to the end, and how many diverged."""
    last = mean[-1] if len(mean) and not diverged.are_all else np.nan
    if not np.isfinite(last):
        return diverged.text or f"{name} has no values"
    text = f"{name} ends at {tables.text(0.0 if abs(last) < _ROUNDING else float(last), digits)}"
    return f"{text} ({diverged.text})" if diverged.text else text


def _shown(one: Spread, factor: float, name: str) -> dict[str, list[Any]]:
    values = {key: rounded(factor * getattr(one, key)) for key in ("mean", "low", "high")}
    return {"name": [name] * len(one.steps), "step": whole(one.steps), "seeds": whole(one.seeds), **values}


def _single(few: pd.DataFrame, factor: float, name: str) -> dict[str, list[Any]]:
    seeds = few.columns.tolist()
    return {
        "xs": [whole(few.index)] * len(seeds),
        "ys": [rounded(factor * few[seed]) for seed in seeds],
        "name": [name] * len(seeds),
        "seed": seeds,
    }


def steps_each(bands: int, seeds: int) -> int:
    """Return how many steps of each band are drawn, where a chart has so many bands of so many seeds."""
    return int(np.clip(min(_NUMBERS // max(1, bands), _VALUES // max(1, seeds)), _FEWEST, STEPS))


def point_select(cells: Cells) -> list[Select]:
    """Return the choice of a grid point, where there is one."""
    return [Select("Grid point", [point_text(point) for point in cells.points])] if len(cells.points) > 1 else []


def key(*choices: int, points: int) -> str:
    """Return the key of a frame by the places of its options, the last that of the grid point, if there is a choice."""
    return ",".join(map(str, choices if points > 1 else choices[:-1]))
