"""What renormalisation does inside: pure array maths on the statistics of one batch."""

from typing import Any

from bnrenorm.norm.formulas import array_module

Array = Any

QUANTILES = (0.05, 0.5, 0.95)


def diagnose(
    mean: Array, std: Array, run_mean: Array, run_std: Array, r: Array, d: Array, r_max: Array, d_max: Array
) -> dict[str, Array]:
    """Describe one layer's batch; every value is (R,), over all nodes (and micro-batches).

    `r_05`, `r_50`, `r_95`, `d_05`, ...: quantiles of the corrections as applied. `r_clipped_high`, `r_clipped_low`,
    `d_clipped_high`, `d_clipped_low`: the share of nodes whose correction would lie beyond that bound. `mean_distance`
    is the mean of |mean - run_mean| / run_std, `std_distance` that of |log(std / run_std)|: how far the batch is from
    the running statistics, whatever the scale of the activations. Arguments as in `formulas`, (R, ..., D) each.
    """
    xp = array_module(mean)
    raw_r, raw_d = std / run_std, (mean - run_mean) / run_std

    def share(beyond: Array) -> Array:
        return beyond.reshape(len(beyond), -1).mean(axis=1)

    found = {
        f"{name}_{100 * quantile:02.0f}": xp.quantile(values.reshape(len(values), -1), quantile, axis=1)
        for name, values in (("r", r), ("d", d))
        for quantile in QUANTILES
    }
    return found | {
        "r_clipped_high": share(raw_r > r_max),
        "r_clipped_low": share(raw_r < 1 / r_max),
        "d_clipped_high": share(raw_d > d_max),
        "d_clipped_low": share(raw_d < -d_max),
        "mean_distance": share(abs(raw_d)),
        "std_distance": share(abs(xp.log(raw_r))),
    }
