"""Values of several seeds over the steps of the training: their mean, its interval, and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis import intervals, stats

INTERVAL = f"{100 * stats.LEVEL:.0f} % interval of the mean over the seeds"
STEPS = 200
"""Steps of a band, at most: the eye sees no more, and 30 seeds of 10,000 steps would take a minute."""


@dataclass(frozen=True)
class Spread:
    """Seeds at T steps: `values` (T, S) by step and seed, their `mean` (T,), and the 95 % interval of the mean.

    low and high are NaN at steps where fewer than 6 seeds have a value (`intervals.mean_intervals`), and everywhere if
    the seeds have the same values at every step: they are one measurement.
    """

    values: pd.DataFrame
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def steps(self) -> np.ndarray:
        """The steps (T,), or epochs."""
        return self.values.index.to_numpy()

    @property
    def seeds(self) -> np.ndarray:
        """How many seeds have a finite value, (T,)."""
        return np.isfinite(self.values.to_numpy()).sum(axis=1)

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval at any step."""
        return bool(np.isfinite(self.low).any())


def scale_of(metric: str) -> int:
    """Return by what a column of a `tables.curves` table is multiplied where it is drawn: accuracies are in %."""
    return 100 if metric.endswith("accuracy") else 1


def by_seed(table: Any, metric: str) -> pd.DataFrame:
    """Return a column of a `tables.curves` table of one variant and grid point as (T, S), by step and seed.

    A trial that has diverged has NaN from its end on.
    """
    return table.pivot(index="step", columns="seed", values=metric).astype(float)


def thin(length: int, most: int) -> np.ndarray:
    """Return at most `most` indices of a curve of that length, evenly spread, the first and the last among them."""
    if length <= most:
        return np.arange(length)
    return np.unique(np.linspace(0, length - 1, max(2, most)).round().astype(int))


def spread(values: pd.DataFrame) -> Spread:
    """Summarise values (T, S) by step and seed, of more than 200 steps 200; those that are not finite are left out."""
    values = values.iloc[thin(len(values), STEPS)]
    numbers = values.to_numpy()
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    low, high = intervals.mean_intervals(numbers.T)
    if are_alike(numbers):
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
    return Spread(values, means(numbers), low, high)


def are_alike(numbers: np.ndarray) -> bool:
    """Tell whether several seeds have the same numbers (T, S) at every step."""
    first = np.broadcast_to(numbers[:, :1], numbers.shape)
    return numbers.shape[1] > 1 and np.array_equal(numbers, first, equal_nan=True)


def means(numbers: np.ndarray) -> np.ndarray:
    """Return the mean (T,) of the finite numbers of each row (T, S), NaN where there are none."""
    is_finite = np.isfinite(numbers)
    count, total = is_finite.sum(axis=1), np.where(is_finite, numbers, 0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def difference(table: pd.DataFrame, a: str, b: str) -> Spread:
    """Return the paired differences b - a in test accuracy of a `tables.curves` table of one grid point, by step.

    A seed counts at the steps at which both variants have a value.
    """
    of_a, of_b = (by_seed(table[table["variant"] == name], "test_accuracy") for name in (a, b))
    return spread((of_b - of_a).dropna(how="all"))


def aligned(curves: Mapping[int, tuple[Sequence[float], Sequence[float]]]) -> pd.DataFrame:
    """Return curves, (steps, values) by seed, as (T, S) by step and seed: NaN at steps that a curve has not."""
    steps = np.unique(np.concatenate([np.empty(0), *(own for own, _ in curves.values())]))
    table = np.full((len(curves), len(steps)), np.nan)
    for row, (own, values) in zip(table, curves.values(), strict=True):
        row[np.searchsorted(steps, own)] = values
    return pd.DataFrame(table.T, index=steps, columns=list(curves))
