"""What the numbers of a run say against trusting its verdicts: few test images, networks that guess or exploded."""

import math
from typing import Any

import pandas as pd

from bnrenorm.analysis import aggregates, stats
from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.analysis.verdicts import Verdict
from bnrenorm.config.trial import point_text
from bnrenorm.data.described import Described
from bnrenorm.numbers import counted, listed, number

_ROUNDING = 1e-9  # of a mean of equal accuracies
_EXPLODED = 1e6  # a loss that only weights without bounds have
_NAMED = 3  # grid points that are named, not counted


def cautions(verdicts: list[Verdict], trials: TrainedTrials, summary: pd.DataFrame, data: Described) -> list[str]:
    """Return remarks on verdicts, and on the trials behind them with their `tables.summary`; no full stops."""
    finished: Any = summary[summary["outcome"] != "diverged"]
    cells = list(aggregates.cells(finished))
    return [*_few_images(verdicts, data), *_guessing(cells, data), *_exploded(cells), *_restored(trials)]


_Cells = list[tuple[dict[str, Any], Any]]
"""Variant and grid point, and the trials that finished there."""


def _few_images(verdicts: list[Verdict], data: Described) -> list[str]:
    """Say where variants are called equivalent on so few test images that one of them is more than the margin."""
    images = data.test
    if all(verdict["verdict"] != "equivalent" or images * verdict["margin"] >= 1 for verdict in verdicts):
        return []
    return [f"equivalent on {images} test images, of which one is {100 / images:.3g} %: it says little of other images"]


def _guessing(cells: _Cells, data: Described) -> list[str]:
    """Name the variants that are no better than one label for all test images: their mean, or single seeds of them.

    A mean of 6 seeds or more is not where it is better by less than two of its standard errors, and a seed is not.
    """
    if not data.most_frequent:
        return []
    share = data.most_frequent / data.test
    cautions, means, seeds = [], [], {}
    for cell, trials in cells:
        accuracy = trials["final_test_accuracy"]
        at_chance = int((accuracy <= share + _ROUNDING).sum())
        is_known = len(accuracy) >= stats.MIN_PAIRS and at_chance
        error = accuracy.std(ddof=1) / math.sqrt(len(accuracy)) if is_known else 0.0
        if accuracy.mean() - 2 * error <= share + _ROUNDING:
            means.append(cell)
        elif at_chance:
            seeds.setdefault(cell["variant"], []).append(
                f"{_named(cell)} in {at_chance} of {counted(len(accuracy), 'seed')}"
            )
    right = f"the most frequent label alone is right for {100 * share:.2f} % of the test images"
    if means:
        names = _variants(means, cells)
        cautions.append(f"{listed(names)} {_end(names)} no better than guessing: {right}")
    if seeds:
        names = _few(seeds, cells, " in single seeds")
        cautions.append(f"{listed(names)} {_end(names)} no better than guessing: {right}; means hide that")
    return cautions


def _exploded(cells: _Cells) -> list[str]:
    """Name the variants with losses that only exploding weights give, though none became infinite."""
    lost = [(cell, float(trials["final_test_loss"].max())) for cell, trials in cells]
    exploded = [cell for cell, loss in lost if loss > _EXPLODED]
    if not exploded:
        return []
    names, largest = _variants(exploded, cells), number(max(loss for _, loss in lost), ".2g")
    return [f"{listed(names)} {_end(names)} with test losses up to {largest}: that is divergence, if not to infinity"]


def _restored(trials: TrainedTrials) -> list[str]:
    """Name the variants that diverged after the weights that early stopping went back to."""
    ended: dict[str, list[bool]] = {}
    for trial, result in trials:
        is_lost = result.outcome != "diverged" and not math.isfinite(result.records["train_loss"][-1])
        ended.setdefault(trial.variant, []).append(is_lost)
    lost = [f"{name} diverged in {sum(of)} of {counted(len(of), 'trial')}" for name, of in ended.items() if any(of)]
    return [f"{listed(lost)}, after the weights that early stopping went back to"] if lost else []


def _end(names: list[str]) -> str:
    return "ends" if len(names) == 1 else "end"


def _named(cell: dict[str, Any]) -> str:
    """Return "BN at lr 0.1", or "BN" where there is no grid."""
    (_, variant), *point = cell.items()
    return f"{variant} at {point_text(point)}" if point else variant


def _variants(some: list[dict[str, Any]], cells: _Cells) -> list[str]:
    """Name variants with the points of the grid, or with how many if these are many."""
    points: dict[str, list[str]] = {}
    for cell in some:
        points.setdefault(cell["variant"], []).append(_named(cell))
    return _few(points, cells)


def _few(points: dict[str, list[str]], cells: _Cells, how: str = "") -> list[str]:
    """Return what stands for the points of the grid, by variant: these, or `how` it is at so many."""
    names = []
    for variant, own in points.items():
        every = sum(cell["variant"] == variant for cell, _ in cells)
        many = f"{variant}{how} at {len(own)} of {counted(every, 'grid point')}"
        names += own if len(own) <= _NAMED else [many]
    return names
