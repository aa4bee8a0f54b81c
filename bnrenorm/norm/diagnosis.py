"""Diagnostics of batch renormalisation: pure functions of one batch's statistics and the running ones."""

from typing import Any

import numpy as np

from bnrenorm.norm.formulas import array_module

Array = Any

QUANTILES = (0.05, 0.5, 0.95)

NAMES = (
    *("r_05", "r_50", "r_95", "d_05", "d_50", "d_95"),
    *("r_clipped_high", "r_clipped_low", "d_clipped_high", "d_clipped_low", "mean_distance", "std_distance"),
)
"""The keys of `diagnose`, in their order."""


def diagnose(
    mean: Array, std: Array, run_mean: Array, run_std: Array, r: Array, d: Array, r_max: Array, d_max: Array
) -> dict[str, Array]:
    """Summarise one layer's corrections for one batch; every value is (R,), taken over all nodes and micro-batches.

    `r_05`, `r_50`, `r_95`, `d_05`, `d_50`, `d_95`: quantiles of the applied (clipped) corrections.
    `r_clipped_high`, `r_clipped_low`, `d_clipped_high`, `d_clipped_low`: fraction of nodes (0 to 1) whose unclipped
    correction exceeds that bound.
    `mean_distance`: mean of |mean - run_mean| / run_std; `std_distance`: mean of |log(std / run_std)|. Both measure
    how far the batch is from the running statistics, independent of the activations' scale.
    Arguments are those of `formulas.corrections` and its results, each (R, ..., D).
    """
    xp = array_module(mean)
    raw_r, raw_d = std / run_std, (mean - run_mean) / run_std

    def replica_mean(values: Array) -> Array:
        return values.reshape(len(values), -1).mean(axis=1)

    quantiles = {
        f"{name}_{100 * quantile:02.0f}": value
        for name, values in (("r", r), ("d", d))
        for quantile, value in zip(QUANTILES, _quantiles(values.reshape(len(values), -1)), strict=True)
    }
    return quantiles | {
        "r_clipped_high": replica_mean(raw_r > r_max),
        "r_clipped_low": replica_mean(raw_r < 1 / r_max),
        "d_clipped_high": replica_mean(raw_d > d_max),
        "d_clipped_low": replica_mean(raw_d < -d_max),
        "mean_distance": replica_mean(abs(raw_d)),
        "std_distance": replica_mean(abs(xp.log(raw_r))),
    }


def _quantiles(values: Array) -> list[Array]:
    """Return the `QUANTILES` of values (R, K), (R,) each."""
    if array_module(values) is np:  # whose bits change if several are asked for at once
        return [np.quantile(values, quantile, axis=1) for quantile in QUANTILES]
    # CuPy's quantile orders the values anew for each, and reads the wrong numbers for several of one replica (14.2).
    ordered, last = array_module(values).sort(values, axis=1), values.shape[1] - 1
    quantiles = []
    for quantile in QUANTILES:
        position = last * values.dtype.type(quantile)
        below = min(int(position), max(last - 1, 0))
        low, high = ordered[:, below], ordered[:, min(below + 1, last)]
        quantiles.append(low + (high - low) * float(position - below))
    return quantiles
