"""Curves over seeds: their mean, and a 95 % interval of the mean from 6 seeds on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnrenorm.analysis.stats import LEVEL, MIN_PAIRS

INTERVAL = f"{100 * LEVEL:.0f} % interval of the mean over seeds (Student's t)"


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
    is_there = np.isfinite(table)
    seeds = is_there.sum(axis=0)
    count = np.where(seeds == 0, np.nan, seeds)
    known = np.where(is_there, table, 0.0)
    mean = known.sum(axis=0) / count
    deviation = np.where(is_there, table - mean, 0.0)
    freedom = np.where(seeds >= MIN_PAIRS, seeds - 1.0, np.nan)
    error = np.sqrt((deviation**2).sum(axis=0) / freedom / count)
    half = quantile(freedom) * error
    return Band(step, mean, mean - half, mean + half, seeds)


def aligned(steps: Sequence[Sequence[float]], values: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return all steps (T,), and the curves at them (S, T), NaN where a curve has none."""
    step = np.unique(np.concatenate([np.asarray(one, float) for one in steps]))
    table = np.full((len(steps), len(step)), np.nan)
    for row, own, curve in zip(table, steps, values, strict=True):
        row[np.searchsorted(step, own)] = curve
    return step, table


def quantile(freedom: np.ndarray) -> np.ndarray:
    """Return the upper quantile of Student's t for a two-sided interval; NaN where `freedom` is."""
    from scipy.special import stdtrit  # not above: SciPy takes its time, and one seed needs no interval

    return stdtrit(freedom, 0.5 + LEVEL / 2)


def thin(length: int, most: int) -> np.ndarray:
    """Return at most `most` indices of a curve of that length, evenly spread, the first and the last among them."""
    if length <= most:
        return np.arange(length)
    return np.unique(np.linspace(0, length - 1, max(2, most)).round().astype(int))
