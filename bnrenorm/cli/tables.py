"""Results as tables for the terminal, each built from a table of `bnrenorm.analysis`."""

from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis import aggregates
from bnrenorm.analysis.numbers import mean_and_spread, number, points
from bnrenorm.analysis.verdicts import IDENTICAL
from bnrenorm.cli.sheet import Sheet
from bnrenorm.config.trial import short, value_text

_RANKS = {"train_loss": 0, "test_loss": 1, "train_accuracy": 2}
"""Metrics that a narrow terminal leaves out, the first one first."""


def summary(final: pd.DataFrame) -> Sheet:
    """Return a table of `analysis.aggregates.final_values`; where any trial diverged, a column counts them."""
    keys, metrics = aggregates.keys_of(final), [name for name in aggregates.METRICS if name in final]
    sheet = Sheet("final values, mean ± standard deviation over seeds")
    for key in keys:
        sheet.add_column(short(key))
    has_diverged = final["diverged"].to_numpy().any()
    if has_diverged:
        sheet.add_column("diverged")
    for name in metrics:
        sheet.add_column(aggregates.METRICS[name][0], rank=_RANKS.get(name), is_number=True)
    for row in final.to_dict("records"):
        lost = f"{row['diverged']} of {row['seeds']}" if row["diverged"] else ""
        values = [
            mean_and_spread(factor * row[name], factor * row[f"{name}_std"], digits)
            for name, (_, factor, digits) in ((name, aggregates.METRICS[name]) for name in metrics)
        ]
        sheet.add_row(*(value_text(row[key]) for key in keys), *([lost] if has_diverged else []), *values)
    return sheet


def verdicts(entries: list[dict[str, Any]]) -> Sheet:
    """Return a table of `analysis.verdicts.verdicts`, over a grid with a section per pair of variants."""
    metric = entries[0]["metric"].removeprefix("final_").replace("_", " ") if entries else ""
    count = entries[0]["comparisons"] if entries else 0
    over = f", p after Holm's correction over {count} comparison{'s' * (count != 1)}" if count else ""
    sheet = Sheet(f"paired differences in {metric} (percentage points)", about={"p": over})
    for key in entries[0]["point"] if entries else ():
        sheet.add_column(short(key))
    sheet.add_column("difference")
    for heading, rank in (("mean", None), ("95 % interval", 2), ("p", 1)):
        sheet.add_column(heading, rank=rank, is_number=True)
    sheet.add_column("verdict")
    sheet.add_column("more seeds", rank=0, is_number=True)
    pairs = list(dict.fromkeys((entry["a"], entry["b"]) for entry in entries))
    for a, b in pairs:
        for entry in entries:
            if (entry["a"], entry["b"]) == (a, b):
                point = map(value_text, entry["point"].values())
                sheet.add_row(*point, f"{b} - {a}", *_verdict_cells(entry))
        if len(entries) > len(pairs) and (a, b) != pairs[-1]:
            sheet.end_section()
    return sheet


def published_differences(compared: pd.DataFrame) -> Sheet:
    """Return a table of `analysis.published.compare_differences`."""
    sheet = Sheet("published and measured differences (percentage points)")
    keys = list(compared.columns[: list(compared.columns).index("a")])
    for heading in (*keys, "difference"):
        sheet.add_column(heading)
    for heading, rank in (("published", 1), ("measured", 0)):
        sheet.add_column(heading, rank=rank, is_number=True)
    sheet.add_column("")
    for row in compared.to_dict("records"):
        sheet.add_row(
            *(value_text(row[key]) for key in keys),
            f"{row['b']} - {row['a']}",
            f"{row['published_difference']:+.1f}",
            "" if pd.isna(row["mean"]) else number(row["mean"], "+.2f"),
            str(row["agreement"]),
        )
    return sheet


def published_values(compared: pd.DataFrame) -> Sheet:
    """Return a table of `analysis.published.compare_values`: a line of ours, below it the published one if any."""
    seeds = max(compared["seeds"])
    spread = f": accuracies are means, epochs medians over {seeds} seeds" if seeds > 1 else ""
    sheet = Sheet(f"ours, and below it what was published{spread}")
    keys = list(compared.columns[: list(compared.columns).index("seeds")])
    keys = [key for key in keys if len(set(compared[key])) > 1] or keys
    for key in keys:
        sheet.add_column(short(key))
    for heading, rank in zip(
        ("train %", "test %", *(f"epochs to {n} %" for n in (95, 97, 98)), "best %", "best epoch", "seconds"),
        (5, None, 4, 3, 2, 6, 1, 0),
        strict=True,
    ):
        sheet.add_column(heading, rank=rank, is_number=True)
    sheet.add_column("verdict")
    for row in compared.to_dict("records"):
        sheet.add_row(*(value_text(row[key]) for key in keys), *_value_cells(row, ""), str(row["verdict"]))
        if row["verdict"]:
            sheet.add_row(*("" for _ in keys), *_value_cells(row, "published_"), "published", style="dim")
    return sheet


def _value_cells(row: dict[Any, Any], prefix: str) -> list[str]:
    styles = {
        **dict.fromkeys(("train_accuracy", "test_accuracy"), ".2f"),
        **dict.fromkeys(("epochs_to_95", "epochs_to_97", "epochs_to_98"), ".0f"),
        "best_test_accuracy": ".2f",
        "best_epoch": ".0f",
        "seconds": ".0f",
    }
    return [
        number(row[prefix + name], style) if np.isfinite(row[prefix + name]) else "" for name, style in styles.items()
    ]


def _verdict_cells(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return mean, interval, p, verdict and the number of further seeds as text, empty where there is none."""
    mean, low, high, p = (entry[name] for name in ("mean", "low", "high", "p_holm"))
    verdict, more = entry["verdict"], entry["more_seeds"]
    if verdict == IDENTICAL:
        return "0", "", "", verdict, ""
    counts = [f"{name} diverged in {count} of {entry['seeds']}" for name, count in entry["diverged"].items() if count]
    words = [] if verdict.endswith("diverged") else [verdict]
    return (
        "" if mean is None else points(mean),
        "" if low is None else f"{points(low)} to {points(high)}",
        "" if p is None else number(p, ".2g"),
        "; ".join([*words, *counts]),
        f"about {more}" if more else "",
    )
