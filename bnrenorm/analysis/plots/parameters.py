"""Figures of the learned parameters: weights, gamma and beta."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bnrenorm.analysis.plots import axes
from bnrenorm.analysis.plots.names import plain
from bnrenorm.analysis.plots.style import Look, look, own_settings
from bnrenorm.analysis.plots.texts import heading, title_figure
from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.config import Trial
from bnrenorm.config.trial import Point, before, short, value_text
from bnrenorm.training.records import TrialResults, final_record

_ROWS = 12  # more would not fit a page
_PER_INCH = 12  # characters of a row's name
_LEARNED = 1 / 9  # of the way from guessing to 1, the test accuracy of a network that has learned something
_WEIGHTS = re.compile(r"linears/\d+/W")
_AFFINE = re.compile(r"norms/\d+/affine/(gamma|beta)")
_Lines = list[tuple[str, TrialResults]]  # results with the names of the lines that they belong to
_AFFINE_RECORDS = re.compile(r"layer\d+_(gamma|beta)")


def pictures(trials: TrainedTrials) -> dict[str, Callable[[], Figure]]:
    """Return functions that draw the learned parameters, by the names of the figures.

    Columns are layers, lines the values of the last axis on which the trials differ, rows the variants and the values
    of the other axes.

    weights, affine: histograms of the weights and of gamma and beta after training, of the first seed. affine_epochs:
    gamma and beta over the epochs, means over a layer's nodes and over seeds. Trials that kept no parameters or learned
    nothing are left out, and so are figures with nothing to show. Trials that stopped early are to be those of
    `stopped.continued`.
    """
    varying = [key for key, _ in trials[0][0].point if len({dict(trial.point)[key] for trial, _ in trials}) > 1]
    kept = [(trial, result) for trial, result in trials if result.parameters]
    learned = [(trial, result) for trial, result in kept if _has_learned(trial, result)]
    one_seed = [(trial, result) for trial, result in learned if trial.seed == learned[0][0].seed]
    failed = len(kept) - len(learned)
    without = f"; not drawn: {failed} of {len(kept)} networks, which learned nothing" if failed else ""
    paths = {path for _, result in one_seed for path in result.parameters}
    drawings: dict[str, Callable[[], Figure]] = {}
    for name, pattern, counted in (("weights", _WEIGHTS, "weights"), ("affine", _AFFINE, "nodes")):
        columns = sorted(filter(pattern.fullmatch, paths), key=_order)
        rows = [(trial, result) for trial, result in one_seed if any(path in result.parameters for path in columns)]
        if rows:
            title = f"after training, seed {rows[0][0].seed}{without}"
            drawings[name] = partial(_grid, rows, varying, columns, title, counted, _histogram)
    recorded = {column for _, result in learned for column in result.records}
    columns = sorted(filter(_AFFINE_RECORDS.fullmatch, recorded), key=_order)
    rows = [(trial, result) for trial, result in learned if any(column in result.records for column in columns)]
    if rows:
        draw = partial(_over_epochs, max(result.records["epoch"][-1] for _, result in rows))
        title = f"means over a layer's nodes{without}"
        drawings["affine_epochs"] = partial(_grid, rows, varying, columns, title, "mean", draw)
    return drawings


def _has_learned(trial: Trial, result: TrialResults) -> bool:
    guessing = 1 / (trial.settings.model.outputs or 1)
    accuracy = result.records["test_accuracy"][final_record(result.records, trial.watched)]
    return accuracy > guessing + _LEARNED * (1 - guessing)


@own_settings()
def _grid(
    trials: TrainedTrials,
    varying: list[str],
    names: list[str],
    title: str,
    y: str,
    draw: Callable[[Any, _Lines, str, dict[str, Look]], None],
) -> Figure:
    rows: dict[tuple[str, Point], _Lines] = {}
    for trial, result in trials:
        line = value_text(dict(trial.point)[varying[-1]]) if varying else ""
        row_point = tuple((key, value) for key, value in trial.point if key in varying[:-1])
        rows.setdefault((trial.variant, row_point), []).append((line, result))
    values = list(dict.fromkeys(line for lines in rows.values() for line, _ in lines))
    shown = list(rows.items())[:_ROWS]
    if len(rows) > _ROWS:
        title = f"{title}: the first {_ROWS} of {len(rows)} rows"
    styles = {value: _shade(i, len(values)) for i, value in enumerate(values)}
    height = max(1.5, 2.4 - 0.15 * len(shown))
    figure = Figure(figsize=(max(6.0, 2.9 * len(names)) + 1.2, 1.0 + height * len(shown)))
    grid = figure.subplots(len(shown), len(names), squeeze=False, sharex="col")
    for row, ((variant, point), of_row) in enumerate(shown):
        for ax, name in zip(grid[row], names, strict=True):
            draw(ax, of_row, name, styles)
            ax.set(title="" if row else _title(name), xlabel=ax.get_xlabel() if row == len(shown) - 1 else "")
        row_name = heading(_row_name(variant, point, y), int(_PER_INCH * height))
        grid[row, 0].set_ylabel(row_name, fontsize="medium" if row_name.count("\n") < 3 else "small")
    if varying:
        kinds: list[Any] = [{"color": style.color, "linestyle": style.linestyle} for style in styles.values()]
        lines = [Line2D([], [], **kind) for kind in kinds]
        key = plain(short(varying[-1]))
        place: Any = {"loc": "outside center right", "ncols": 1 + len(values) // 30}
        figure.legend(lines, list(map(plain, values)), title=key, fontsize="small", **place)
    title_figure(figure, title)
    return figure


def _shade(i: int, count: int) -> Look:
    """Return the look of a value of an axis: colours from dark to light in its order, and four line styles in turn."""
    dash = look(8 * (i % 4))
    return Look(to_hex(colormaps["viridis"](0.9 * i / max(1, count - 1))), look(i).marker, dash.linestyle)


def _row_name(variant: str, point: Point, y: str) -> str:
    """Name what the y axis shows of a variant, "BN: nodes", and the grid point."""
    settings = [f"{plain(before(key, value))} {plain(value)}" for key, value in point]
    return "\n".join([f"{plain(variant)}: {y}", *settings])


def _histogram(ax: Any, lines: _Lines, name: str, styles: dict[str, Look]) -> None:
    axes.histogram(ax, {line: result.parameters[name] for line, result in lines if name in result.parameters}, styles)


def _over_epochs(end: float, ax: Any, lines: _Lines, name: str, styles: dict[str, Look]) -> None:
    """Draw the values of a record up to the epoch `end`, which all panels share."""
    frames = [
        pd.DataFrame({"line": line, "epoch": result.records["epoch"], name: result.records[name]})
        for line, result in lines
        if name in result.records
    ]
    table: Any = pd.concat(frames).dropna() if frames else pd.DataFrame()
    if not table.empty:
        axes.lines(ax, table, name, "line", styles).set(xlim=(0, axes.BEYOND * end))


def _order(name: str) -> tuple[int, bool]:
    """Sort by layer, gamma before beta."""
    return _number(name), "beta" in name


def _title(name: str) -> str:
    layer = _number(name) + ("/" in name)  # paths count layers from 0, records from 1
    kind = re.split(r"[/_]", name)[-1]
    return f"layer {layer}: {'weights' if kind == 'W' else kind}"


def _number(name: str) -> int:
    number = re.search(r"\d+", name)
    return int(number[0]) if number else 0
