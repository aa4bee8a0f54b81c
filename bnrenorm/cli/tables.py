"""Results as tables for the terminal (Rich), each built from a table of `bnrenorm.analysis`."""

from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from bnrenorm.analysis.verdicts import IDENTICAL, more_seeds

_METRICS = (  # heading, column after "final_", factor, digits
    ("training loss", "train_loss", 1, 4),
    ("test loss", "test_loss", 1, 4),
    ("training %", "train_accuracy", 100, 2),
    ("test %", "test_accuracy", 100, 2),
)
_HUGE = 1e4  # write larger means, those of networks that explode, in scientific notation, to fit 80 columns


def summary(trials: Any) -> Table:
    """Return a table of `analysis.tables.summary`: the final values of every variant and grid point.

    Means are over the trials that finished; a row below counts those that diverged. A grid of several settings shows
    accuracies only, to fit 80 columns.
    """
    keys = list(trials.columns[: list(trials.columns).index("seed")])
    is_narrow = len(keys) > 2
    metrics = _METRICS[2:] if is_narrow else _METRICS
    table = _new_table(f"final {'accuracies' if is_narrow else 'values'}, mean ± standard deviation over seeds")
    for key in keys:
        table.add_column(key.rpartition(".")[2], overflow="fold")
    for heading, *_ in metrics:
        table.add_column(heading, justify="right", no_wrap=True)
    for cell, rows in trials.groupby(keys, sort=False):
        names = [str(name) for name in (cell if isinstance(cell, tuple) else (cell,))]
        finished = rows[rows["outcome"] != "diverged"]
        if len(finished):
            values = [
                _mean_and_spread(factor * finished[f"final_{name}"], digits) for _, name, factor, digits in metrics
            ]
            table.add_row(*names, *values)
        if len(finished) < len(rows):
            table.add_row(*names, f"{len(rows) - len(finished)} of {len(rows)} diverged")
    return table


def verdicts(entries: list[dict[str, Any]]) -> Table:
    """Return a table of `analysis.verdicts.verdicts` over a grid, with a section per pair of variants."""
    metric = entries[0]["metric"].removeprefix("final_").replace("_", " ") if entries else ""
    over = f" over {entries[0]['comparisons']} comparisons" if entries else ""
    table = _new_table(f"paired differences in {metric} (percentage points), p after Holm's correction{over}")
    for key in entries[0]["point"] if entries else ():
        table.add_column(key.rpartition(".")[2])
    table.add_column("difference")
    for heading in ("mean", "95 % interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    pairs = list(dict.fromkeys((entry["a"], entry["b"]) for entry in entries))
    for a, b in pairs:
        for entry in entries:
            if (entry["a"], entry["b"]) == (a, b):
                point = (str(value) for value in entry["point"].values())
                table.add_row(*point, f"{b} - {a}", *_verdict_cells(entry))
        if len(entries) > len(pairs):
            table.add_section()
    return table


def published_differences(compared: pd.DataFrame) -> Table:
    """Return a table of `analysis.published.compare_differences`."""
    table = _new_table("published and measured differences (percentage points)")
    keys = list(compared.columns[: list(compared.columns).index("a")])
    for heading in (*keys, "difference"):
        table.add_column(heading)
    for heading in ("published", "measured"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in compared.to_dict("records"):
        table.add_row(
            *(str(row[key]) for key in keys),
            f"{row['b']} - {row['a']}",
            f"{row['published_difference']:+.1f}",
            "" if pd.isna(row["mean"]) else f"{row['mean']:+.2f}",
            str(row["agreement"]),
        )
    return table


def published_values(compared: pd.DataFrame) -> Table:
    """Return a table of `analysis.published.compare_values`: a line of ours, below it the published one if any."""
    seeds = max(compared["seeds"])
    spread = f": accuracies are means, epochs medians over {seeds} seeds" if seeds > 1 else ""
    table = _new_table(f"ours, and below it what was published{spread}")
    keys = list(compared.columns[: list(compared.columns).index("seeds")])
    keys = [key for key in keys if len(set(compared[key])) > 1] or keys
    for key in keys:
        table.add_column(key.rpartition(".")[2], no_wrap=True)
    for heading in ("train %", "test %", "95 %", "97 %", "98 %", "best %", "epoch", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in compared.to_dict("records"):
        table.add_row(*(str(row[key]) for key in keys), *_value_cells(row, ""), str(row["verdict"]))
        if row["verdict"]:
            table.add_row(*("" for _ in keys), *_value_cells(row, "published_"), "published", style="dim")
    return table


def _value_cells(row: dict[Any, Any], prefix: str) -> list[str]:
    styles = {
        **dict.fromkeys(("train_accuracy", "test_accuracy"), ".2f"),
        **dict.fromkeys(("epochs_to_95", "epochs_to_97", "epochs_to_98"), ".0f"),
        "best_test_accuracy": ".2f",
        "best_epoch": ".0f",
        "seconds": ".0f",
    }
    return [
        f"{row[prefix + name]:{style}}" if np.isfinite(row[prefix + name]) else "" for name, style in styles.items()
    ]


def _verdict_cells(entry: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return mean, interval, p and verdict as text, empty where there is none."""
    mean, low, high, p = (entry[name] for name in ("mean", "low", "high", "p_holm"))
    verdict, more = entry["verdict"], entry["more_seeds"]
    if verdict == IDENTICAL:
        return "0", "", "", verdict
    counts = [f"{name} diverged in {count} of {entry['seeds']}" for name, count in entry["diverged"].items() if count]
    words = [] if verdict.endswith("diverged") else [f"{verdict}: {more_seeds(more)}" if more else verdict]
    return (
        "" if mean is None else f"{100 * mean:+.2f}",
        "" if low is None else f"{100 * low:+.2f} to {100 * high:+.2f}",
        "" if p is None else f"{p:.2g}",
        "; ".join([*words, *counts]),
    )


def _new_table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )


def _mean_and_spread(values: pd.Series, digits: int) -> str:
    """Return a mean and, with more than one seed, the standard deviation, as "0.2795 ± 0.0012"."""
    mean, spread = values.mean(), values.std(ddof=1)
    style = f".{digits}f" if abs(mean) < _HUGE else ".0e"
    return f"{mean:{style}}" + (f" ± {spread:{style}}" if np.isfinite(spread) else "")
