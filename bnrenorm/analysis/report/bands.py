"""Curves over seeds: their mean, and a 95 % interval of the mean from 6 seeds on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bnrenorm.analysis import stats
from bnrenorm.analysis.over_steps import Spread, spread

INTERVAL = f"{100 * stats.LEVEL:.0f} % interval of the mean over the seeds"


def band(steps: Sequence[Sequence[float]], values: Sequence[Sequence[float]]) -> Spread:
    """Return the mean and the interval of curves, each with steps and values of its own length."""
    step, table = aligned(steps, values)
    return spread(pd.DataFrame(table.T, index=step))


def aligned(
    steps: Sequence[Sequence[float]], values: Sequence[Sequence[float] | np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return all steps (T,), and the curves at them (S, T), NaN where a curve has none."""
    step = np.unique(np.concatenate([np.asarray(one, float) for one in steps]))
    table = np.full((len(steps), len(step)), np.nan)
    for row, own, curve in zip(table, steps, values, strict=True):
        row[np.searchsorted(step, own)] = curve
    return step, table


def thin(length: int, most: int) -> np.ndarray:
    """Return at most `most` indices of a curve of that length, evenly spread, the first and the last among them."""
    if length <= most:
        return np.arange(length)
    return np.unique(np.linspace(0, length - 1, max(2, most)).round().astype(int))
