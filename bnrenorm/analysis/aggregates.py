"""Tables over seeds, for people: final values by variant, and the paired differences, one row per comparison."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis.verdicts import Verdict
from bnrenorm.numbers import mean_and_spread

METRICS = {
    "train_loss": ("training loss", 1, 4),
    "test_loss": ("test loss", 1, 4),
    "train_accuracy": ("training %", 100, 2),
    "validation_accuracy": ("validation %", 100, 2),
    "test_accuracy": ("test %", 100, 2),
}
"""Metrics of `final_values`, as people read them: heading, factor, digits."""


def final_values(summary: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variant and grid point of a `tables.summary`: means over the seeds that finished.

    Columns: variant, the grid's columns, seeds, diverged (a number), then for each of `METRICS` that there is the mean
    of the final values and, as ..._std, their standard deviation over seeds; NaN where there are too few values.
    """
    return means(summary, {f"final_{name}": name for name in METRICS if f"final_{name}" in summary})


def texts(final: pd.DataFrame) -> dict[str, list[str]]:
    """Return the metrics of `final_values` as people read them, a column by its heading: "91.99 ± 0.21"."""
    return {
        heading: [
            mean_and_spread(factor * mean, factor * spread, digits)
            for mean, spread in zip(final[name], final[f"{name}_std"], strict=True)
        ]
        for name, (heading, factor, digits) in METRICS.items()
        if name in final
    }


def keys_of(table: pd.DataFrame, until: str = "seeds") -> list[str]:
    """Return the columns that name a row, those before `until`: variant and the grid's in `final_values`."""
    return list(table.columns[: list(table.columns).index(until)])


def cells(summary: pd.DataFrame) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield every variant and grid point of a `tables.summary`, values by column, with the rows of its trials."""
    keys = keys_of(summary, "seed")
    groups: Any = summary.groupby(keys, sort=False, dropna=False)
    for values, trials in groups:
        yield dict(zip(keys, values, strict=True)), trials


def means(summary: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Return what `final_values` does, of other columns of a `tables.summary`; names: what each is called then."""
    rows = []
    for cell, trials in cells(summary):
        finished = trials[trials["outcome"] != "diverged"]
        row = {**cell, "seeds": len(trials), "diverged": len(trials) - len(finished)}
        with np.errstate(invalid="ignore"):  # losses may be infinite
            for column, name in names.items():
                row |= {name: finished[column].mean(), f"{name}_std": finished[column].std(ddof=1)}
        rows.append(row)
    return pd.DataFrame(rows)


def differences(verdicts: list[Verdict]) -> pd.DataFrame:
    """Return one row per comparison of `verdicts.verdicts`: the grid's columns, then `difference` ("BRN - BN").

    The other columns are keys of verdict.json: mean, low, high (fractions), p, p_holm, pairs, verdict, more_seeds; NaN
    for null.
    """
    columns = ("mean", "low", "high", "p", "p_holm", "pairs", "verdict", "more_seeds")
    rows = [
        {**entry["point"], "difference": f"{entry['b']} - {entry['a']}", **{name: entry[name] for name in columns}}
        for entry in verdicts
    ]
    table = pd.DataFrame(rows, columns=None if rows else ["difference", *columns])
    return table.astype(dict.fromkeys(("mean", "low", "high", "p", "p_holm"), float))  # None is NaN
