"""Results as tables for the terminal, each built from a table of `bnrenorm.analysis`."""

from itertools import pairwise

import numpy as np
import pandas as pd

from bnrenorm.analysis import aggregates
from bnrenorm.analysis.verdicts import IDENTICAL, Verdict, at_least, interval, is_by_divergence, p_cell, pairs_of
from bnrenorm.cli.sheet import Sheet
from bnrenorm.config.trial import short, value_text
from bnrenorm.numbers import counted, number, points

_RANKS = {"training loss": 0, "test loss": 1, "training %": 2}
"""Metrics that a narrow terminal leaves out, the first one first."""

_PUBLISHED = {
    "train_accuracy": ("train %", 5, ".2f"),
    "test_accuracy": ("test %", None, ".2f"),
    "epochs_to_95": ("epochs to 95 %", 4, ".0f"),
    "epochs_to_97": ("epochs to 97 %", 3, ".0f"),
    "epochs_to_98": ("epochs to 98 %", 2, ".0f"),
    "best_test_accuracy": ("best %", 6, ".2f"),
    "best_epoch": ("best epoch", 1, ".0f"),
    "seconds": ("seconds", 0, ".0f"),
}
"""Columns of published values, ours and theirs: heading, rank, format."""


def summary(final: pd.DataFrame) -> Sheet:
    """Return a table of `analysis.aggregates.final_values`; where any trial diverged, a column counts them."""
    sheet = Sheet("final values, mean ± standard deviation over seeds")
    for key in aggregates.keys_of(final):
        sheet.add(short(key), map(value_text, final[key]))
    if final["diverged"].to_numpy().any():
        counts = zip(final["diverged"], final["seeds"], strict=True)
        sheet.add("diverged", [f"{lost} of {seeds}" if lost else "" for lost, seeds in counts])
    for heading, texts in aggregates.texts(final).items():
        sheet.add(heading, texts, rank=_RANKS.get(heading), is_number=True)
    return sheet


def verdicts(entries: list[Verdict]) -> Sheet:
    """Return a table of some `analysis.verdicts.verdicts`, over a grid with a section per pair of variants."""
    count = entries[0]["comparisons"]
    over = f", p after Holm's correction over {counted(count, 'comparison')}" if count else ""
    pairs = pairs_of(entries)
    rows = sorted(entries, key=lambda entry: pairs.index((entry["a"], entry["b"])))
    differences = [f"{entry['b']} - {entry['a']}" for entry in rows]
    means, intervals, p, words, more = zip(*map(_verdict_cells, rows), strict=True)
    sheet = Sheet("paired differences in test accuracy (percentage points)", about={"p": over})
    for key in entries[0]["point"]:
        sheet.add(short(key), [value_text(entry["point"][key]) for entry in rows])
    sheet.add("difference", differences)
    sheet.add("mean", means, is_number=True)
    sheet.add("95 % interval", intervals, rank=2, is_number=True)
    sheet.add("p", p, rank=1, is_number=True)
    sheet.add("verdict", words)
    sheet.add("more seeds", more, rank=0, is_number=True)
    if len(entries) > len(pairs):
        sheet.ends |= {i for i, (above, below) in enumerate(pairwise(differences)) if above != below}
    return sheet


def published_differences(compared: pd.DataFrame) -> Sheet:
    """Return a table of `analysis.published.compare_differences`."""
    sheet = Sheet("published and measured differences (percentage points)")
    for key in aggregates.keys_of(compared, "a"):
        sheet.add(key, map(value_text, compared[key]))
    measured = ["" if pd.isna(mean) else number(mean, "+.2f") for mean in compared["mean"]]
    sheet.add("difference", [f"{b} - {a}" for a, b in zip(compared["a"], compared["b"], strict=True)])
    sheet.add("published", [f"{value:+.1f}" for value in compared["published_difference"]], rank=1, is_number=True)
    sheet.add("measured", measured, rank=0, is_number=True)
    sheet.add("", compared["agreement"])
    return sheet


def published_values(compared: pd.DataFrame) -> Sheet:
    """Return a table of `analysis.published.compare_values`: a line of ours, below it the published one if any."""
    seeds = max(compared["seeds"])
    spread = f": accuracies are means, epochs medians over {seeds} seeds" if seeds > 1 else ""
    sheet = Sheet(f"ours, and below it what was published{spread}")
    keys = aggregates.keys_of(compared)
    keys = [key for key in keys if len(set(compared[key])) > 1] or keys
    lines = [
        (row, prefix)
        for row in compared.to_dict("records")
        for prefix in (("", "published_") if row["verdict"] else ("",))
    ]
    for key in keys:
        sheet.add(short(key), ["" if prefix else value_text(row[key]) for row, prefix in lines])
    for name, (heading, rank, style) in _PUBLISHED.items():
        values = [row[prefix + name] for row, prefix in lines]
        texts = [number(value, style) if np.isfinite(value) else "" for value in values]
        sheet.add(heading, texts, rank=rank, is_number=True)
    sheet.add("verdict", ["published" if prefix else row["verdict"] for row, prefix in lines])
    sheet.styles |= {i: "dim" for i, (_, prefix) in enumerate(lines) if prefix}
    return sheet


def _verdict_cells(entry: Verdict) -> tuple[str, ...]:
    """Return mean, interval, p, verdict and the number of further seeds as text, empty where there is none."""
    mean, p, verdict, more = entry["mean"], entry["p_holm"], entry["verdict"], entry["more_seeds"]
    if verdict == IDENTICAL:
        return "0", "", "", verdict, ""
    counts = [f"{name} diverged in {count} of {entry['seeds']}" for name, count in entry["diverged"].items() if count]
    words = [] if is_by_divergence(entry) else [verdict]
    return (
        "" if mean is None else points(mean),
        " to ".join(map(points, interval(entry) or ())),
        "" if p is None else p_cell(p),
        "; ".join([*words, *counts]),
        f"{at_least(entry['pairs'])} {more}" if more else "",
    )
