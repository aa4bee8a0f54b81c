"""Tables for the terminal: each takes what `tables` and its neighbours made, and lays it out."""

from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

_SPREAD = "mean ± standard deviation over seeds"
_SHOWN = (  # heading, column after "final_" or "best_", factor, digits
    ("training loss", "train_loss", 1, 4),
    ("test loss", "test_loss", 1, 4),
    ("training %", "train_accuracy", 100, 2),
    ("test %", "test_accuracy", 100, 2),
)
_HUGE = 1e4  # a mean beyond this is that of a network that diverges


def summary(found: Any) -> Table:
    """Lay the variants out with their final and best values; over a grid with the final ones only.

    A grid of several settings leaves no room for losses in a terminal of 80 columns.
    """
    keys = list(found.columns[: list(found.columns).index("seed")])
    grid, narrow = len(keys) > 1, len(keys) > 2
    shown = _SHOWN[2:] if narrow else _SHOWN
    of = "final accuracies" if narrow else "final values"
    table = _new_table(f"{of}, {_SPREAD}" if grid else _SPREAD)
    for key in keys if grid else [*keys, ""]:
        table.add_column(key.rpartition(".")[2], overflow="fold")
    for heading, *_ in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for cell, rows in found.groupby(keys, sort=False):
        names = [str(name) for name in (cell if isinstance(cell, tuple) else (cell,))]
        for when in ("final",) if grid else ("final", "best"):
            values = [_mean_and_spread(factor * rows[f"{when}_{name}"], digits) for _, name, factor, digits in shown]
            table.add_row(*names, *([] if grid else [when]), *values)
        diverged = int((rows["outcome"] == "diverged").sum())
        if diverged:
            table.add_row(*names, *([] if grid else [""]), f"{diverged} of {len(rows)} diverged")
        if not grid:
            table.add_section()
    return table


def verdicts(found: list[dict[str, Any]]) -> Table:
    """Lay the verdicts of a grid out, a section for every pair of variants."""
    metric = found[0]["metric"].removeprefix("final_").replace("_", " ") if found else ""
    table = _new_table(f"paired differences in {metric} (percentage points), p after Holm's correction")
    for key in found[0]["point"] if found else ():
        table.add_column(key.rpartition(".")[2])
    table.add_column("difference")
    for heading in ("mean", "95 % interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    pairs = list(dict.fromkeys((verdict["a"], verdict["b"]) for verdict in found))
    for a, b in pairs:
        for verdict in (each for each in found if (each["a"], each["b"]) == (a, b)):
            table.add_row(*(str(value) for value in verdict["point"].values()), f"{b} - {a}", *_row(verdict))
        table.add_section()
    return table


def published_differences(found: pd.DataFrame) -> Table:
    """Lay published and measured differences out."""
    table = _new_table("published and measured differences (percentage points)")
    keys = list(found.columns[: list(found.columns).index("a")])
    for heading in (*keys, "difference"):
        table.add_column(heading)
    for heading in ("published", "measured"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in found.to_dict("records"):
        table.add_row(
            *(str(row[key]) for key in keys),
            f"{row['b']} - {row['a']}",
            f"{row['published_difference']:+.1f}",
            f"{row['mean']:+.2f}",
            str(row["agreement"]),
        )
    return table


def published_values(found: pd.DataFrame) -> Table:
    """Lay the second article's columns out: a line of ours, and where there is one a line of what was published."""
    seeds = max(found["seeds"])
    spread = f": accuracies are means, epochs medians over {seeds} seeds" if seeds > 1 else ""
    table = _new_table(f"ours, and below what was published{spread}")
    keys = list(found.columns[: list(found.columns).index("seeds")])
    keys = [key for key in keys if len(set(found[key])) > 1] or keys
    for key in keys:
        table.add_column(key.rpartition(".")[2], no_wrap=True)
    for heading in ("train %", "test %", "95 %", "97 %", "98 %", "best %", "epoch", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in found.to_dict("records"):
        table.add_row(*(str(row[key]) for key in keys), *_cells(row, ""), str(row["verdict"]))
        if row["verdict"]:
            table.add_row(*("" for _ in keys), *_cells(row, "published_"), "published", style="dim")
    return table


def _cells(row: dict[Any, Any], of: str) -> list[str]:
    styles = {
        **dict.fromkeys(("train_accuracy", "test_accuracy"), ".2f"),
        **dict.fromkeys(("epochs_to_95", "epochs_to_97", "epochs_to_98"), ".0f"),
        "best_test_accuracy": ".2f",
        "best_epoch": ".0f",
        "seconds": ".0f",
    }
    return [f"{row[of + name]:{style}}" if np.isfinite(row[of + name]) else "" for name, style in styles.items()]


def _row(verdict: dict[str, Any]) -> tuple[str, str, str, str]:
    """Write a verdict's mean, interval, p and words; what a verdict does not have stays empty."""
    mean, low, high, p = (verdict[name] for name in ("mean", "low", "high", "p_holm"))
    words, more = verdict["verdict"], verdict["more_seeds"]
    diverged = "".join(f"; {count} {name} diverged" for name, count in verdict["diverged"].items() if count)
    if words == "identical by construction":
        return "0", "", "", words
    return (
        "" if mean is None else f"{100 * mean:+.2f}",
        "" if low is None else f"{100 * low:+.2f} to {100 * high:+.2f}",
        "" if p is None else f"{p:.2g}",
        (f"{words}: {more} more seed{'s' * (more > 1)} needed" if more else words) + diverged,
    )


def _new_table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True
    )


def _mean_and_spread(values: pd.Series, digits: int) -> str:
    """Write a mean and, with more than one seed, the standard deviation: "0.2795 ± 0.0012"."""
    mean, spread = values.mean(), values.std(ddof=1)
    style = f".{digits}f" if abs(mean) < _HUGE else ".1e"
    return f"{mean:{style}}" + (f" ± {spread:{style}}" if np.isfinite(spread) else "")
