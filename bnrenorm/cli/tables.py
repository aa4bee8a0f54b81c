"""Results as tables for the terminal, each built from a table of `bnrenorm.analysis`."""

from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis.published import NOT_JUDGED
from bnrenorm.analysis.verdicts import IDENTICAL
from bnrenorm.cli.sheet import Sheet

_METRICS = (  # heading, column after "final_", factor, digits, rank in a `Sheet`
    ("training loss", "train_loss", 1, 4, 0),
    ("test loss", "test_loss", 1, 4, 1),
    ("training %", "train_accuracy", 100, 2, 2),
    ("test %", "test_accuracy", 100, 2, None),
)
_LARGE = 1e3  # write larger numbers, those of networks that explode, in scientific notation


def summary(trials: Any) -> Sheet:
    """Return a table of `analysis.tables.summary`: the final values of every variant and grid point.

    Means are over the trials that finished; where any diverged, a column counts them.
    """
    keys = list(trials.columns[: list(trials.columns).index("seed")])
    sheet = Sheet("final values, mean ± standard deviation over seeds")
    for key in keys:
        sheet.add_column(key.rpartition(".")[2])
    has_diverged = (trials["outcome"] == "diverged").any()
    if has_diverged:
        sheet.add_column("diverged")
    for heading, *_, rank in _METRICS:
        sheet.add_column(heading, rank=rank, is_number=True)
    for cell, rows in trials.groupby(keys, sort=False, dropna=False):
        names = map(_name, cell if isinstance(cell, tuple) else (cell,))
        finished = rows[rows["outcome"] != "diverged"]
        lost = len(rows) - len(finished)
        count = [f"{lost} of {len(rows)}" if lost else ""] if has_diverged else []
        values = [
            _mean_and_spread(factor * finished[f"final_{name}"], digits) for _, name, factor, digits, _ in _METRICS
        ]
        sheet.add_row(*names, *count, *values)
    return sheet


def _name(value: Any) -> str:
    """Write a value of the grid; None and NaN, which is None in a column of numbers, as in a config."""
    return "null" if value is None or value != value else str(value)


def verdicts(entries: list[dict[str, Any]]) -> Sheet:
    """Return a table of `analysis.verdicts.verdicts`, over a grid with a section per pair of variants."""
    metric = entries[0]["metric"].removeprefix("final_").replace("_", " ") if entries else ""
    count = entries[0]["comparisons"] if entries else 0
    over = f", p after Holm's correction over {count} comparisons" if count else ""
    sheet = Sheet(f"paired differences in {metric} (percentage points)", about={"p": over})
    for key in entries[0]["point"] if entries else ():
        sheet.add_column(key.rpartition(".")[2])
    sheet.add_column("difference")
    for heading, rank in (("mean", None), ("95 % interval", 2), ("p", 1)):
        sheet.add_column(heading, rank=rank, is_number=True)
    sheet.add_column("verdict")
    sheet.add_column("more seeds", rank=0, is_number=True)
    pairs = list(dict.fromkeys((entry["a"], entry["b"]) for entry in entries))
    for a, b in pairs:
        for entry in entries:
            if (entry["a"], entry["b"]) == (a, b):
                point = map(_name, entry["point"].values())
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
            *(str(row[key]) for key in keys),
            f"{row['b']} - {row['a']}",
            f"{row['published_difference']:+.1f}",
            "" if pd.isna(row["mean"]) else f"{row['mean']:+.2f}",
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
        sheet.add_column(key.rpartition(".")[2])
    for heading, rank in zip(
        ("train %", "test %", *(f"epochs to {n} %" for n in (95, 97, 98)), "best %", "best epoch", "seconds"),
        (5, None, 4, 3, 2, 6, 1, 0),
        strict=True,
    ):
        sheet.add_column(heading, rank=rank, is_number=True)
    sheet.add_column("verdict")
    for row in compared.to_dict("records"):
        verdict = f"not judged ({row['verdict']})" if row["verdict"] in NOT_JUDGED else str(row["verdict"])
        sheet.add_row(*(str(row[key]) for key in keys), *_value_cells(row, ""), verdict)
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
        f"{row[prefix + name]:{style}}" if np.isfinite(row[prefix + name]) else "" for name, style in styles.items()
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
        "" if mean is None else f"{100 * mean:+.2f}",
        "" if low is None else f"{100 * low:+.2f} to {100 * high:+.2f}",
        "" if p is None else number(p, ".2g"),
        "; ".join([*words, *counts]),
        f"about {more}" if more else "",
    )


def _mean_and_spread(values: pd.Series, digits: int) -> str:
    """Return a mean and, with more than one value, the standard deviation, as "0.2795 ± 0.0012"; "" for none."""
    numbers = values.to_numpy(float)
    if not len(numbers):
        return ""
    with np.errstate(invalid="ignore"):  # losses may be infinite
        mean, spread = numbers.mean(), numbers.std(ddof=1) if len(numbers) > 1 else np.nan
    is_large, is_small = max(abs(mean), spread) >= _LARGE, 0 < abs(mean) < 0.5 * 10**-digits
    style = ".1e" if is_large or is_small else f".{digits}f"
    return number(mean, style) + (f" ± {number(spread, style)}" if np.isfinite(spread) else "")


def number(value: float, style: str) -> str:
    """Format a number, its exponent short: 1.5e14 and 2e-5."""
    digits, e, exponent = f"{value:{style}}".partition("e")
    return f"{digits}e{int(exponent)}" if e else digits
