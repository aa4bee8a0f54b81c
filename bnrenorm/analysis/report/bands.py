"""Curves over seeds: their mean, and a 95 % interval of the mean from 6 seeds on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnrenorm.analysis import stats

INTERVAL = f"{100 * stats.LEVEL:.0f} % interval of the mean over the seeds"


@dataclass(frozen=True)
class Band:
    """The mean of S curves at T steps: step, mean, low, high and seeds, each (T,).

    Curves that have ended, and values that are not finite, are left out: `seeds` counts the others. low and high are
    NaN where fewer than 6 are left.
    """

    step: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: np.ndarray


def band(steps: Sequence[Sequence[float]], values: Sequence[Sequence[float]]) -> Band:
    """Return the mean and the interval of curves, each with steps and values of its own length."""
    step, table = aligned(steps, values)
    table = np.where(np.isfinite(table), table, np.nan)
    seeds = np.isfinite(table).sum(axis=0)
    mean = np.divide(np.nansum(table, axis=0), seeds, out=np.full(len(step), np.nan), where=seeds > 0)
    return Band(step, mean, *stats.mean_intervals(table), seeds)


def aligned(steps: Sequence[Sequence[float]], values: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
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
