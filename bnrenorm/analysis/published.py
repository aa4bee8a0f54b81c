"""Published numbers next to measured ones.

Where network and images are the same as ours (`Published.values`) the accuracies themselves compare, row by row:
`compare_values`. Elsewhere only the signs of the differences between two variants do: `compare_differences`.
"""

from collections.abc import Container
from typing import Any

import numpy as np
import pandas as pd

from bnrenorm import config as configs
from bnrenorm.analysis import aggregates, stats
from bnrenorm.analysis.verdicts import Verdict, in_points, winner
from bnrenorm.config import Experiment
from bnrenorm.config.schema import Settings
from bnrenorm.config.trial import Point
from bnrenorm.published import Published

ACCURACIES = ("train_accuracy", "test_accuracy", "best_test_accuracy")
EPOCHS = ("epochs_to_95", "epochs_to_97", "epochs_to_98", "best_epoch")

INSIDE, OUTSIDE, BOTH_FAIL = "inside", "outside", "both fail"
"""Verdicts on a published value; "both fail" where it and all of our trials are at chance."""

NOT_JUDGED = OTHER_SETTINGS, DIVERGED, FEW_SEEDS, WIDE = (
    "other settings", "some diverged", "too few seeds", "any value is inside"
)  # fmt: skip
"""Why a published value has no verdict: ours is another experiment, or it says nothing about one more seed."""

SAME, OPPOSITE, UNDECIDED = "same direction", "opposite direction", "not decided here"
"""Verdicts on a published difference."""

_ROUNDING = 0.005  # half a unit of the last printed digit, in percentage points
_CHANCE = 12.0  # %; always answering the most frequent digit scores 11.35 %


def other_cells(experiment: Experiment) -> set[tuple[str, Point]]:
    """Return the variants and grid points whose settings are not those of the config that has the table's name."""
    original = {
        (variant, frozenset(point)): _numbers_of(settings)
        for (variant, point), settings in configs.load(str(experiment.published)).settings.items()
    }
    return {
        (variant, point)
        for (variant, point), settings in experiment.settings.items()
        if original.get((variant, frozenset(point))) not in (None, _numbers_of(settings))
    }


def _numbers_of(settings: Settings) -> dict[str, Any]:
    """Return the settings that may change a number in a published table."""
    return settings.model_dump(exclude={"evaluation": {"parameters"}})


def compare_values(published: Published, summary: pd.DataFrame, others: Container[int] = ()) -> pd.DataFrame:
    """Return one row per variant and grid point of a `tables.summary`: the article's columns, ours and published.

    Accuracies are means over seeds in %, epochs medians, `seconds` a mean; `published_...` are the printed values, NaN
    where nothing was printed. `judged` names the column that is compared: the final test accuracy or, where that was
    not published, the best one. low and high are the 95 % prediction interval of one more seed of ours, in 0..100 %.
    `verdict` tells whether the published value lies in it; it is empty for rows that were not published. Accuracies are
    those of trials that finished, if any did. others: rows of the summary whose settings are not the published ones.
    """
    rows = []
    for cell, trials in aggregates.cells(summary):
        row = next((row for row in published.rows if _matches(row, cell)), {})
        compared = _compare_cell(row, trials)
        if compared["verdict"] and trials.index[0] in others:
            compared["verdict"] = OTHER_SETTINGS
        rows.append({**cell, "seeds": len(trials), **_measured(trials), **compared})
    return pd.DataFrame(rows)


def count(table: pd.DataFrame) -> str:
    """Summarise a `compare_values` table in one line: the number of published rows of each verdict."""
    verdicts = list(table["verdict"][table["verdict"] != ""])
    if not verdicts:
        return "no row was published of these settings"
    counts = {word: verdicts.count(word) for word in (INSIDE, BOTH_FAIL, OUTSIDE, *NOT_JUDGED)}
    return f"of {len(verdicts)} published rows: " + ", ".join(f"{n} {word}" for word, n in counts.items() if n)


def _matches(row: dict[str, str], cell: dict[str, Any]) -> bool:
    """Tell whether a published row is of this variant and grid point; numbers compare as numbers, 0.10 equals 0.1.

    A row of other axes than the cell's is none of it.
    """
    axes = row.keys() - {*ACCURACIES, *EPOCHS, "seconds"}
    return axes == cell.keys() and all(_equals(row[key], value) for key, value in cell.items())


def _equals(text: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text == str(value)
    try:
        return bool(np.isclose(float(text), float(value), rtol=1e-9, atol=0))
    except ValueError:
        return False


def _measured(trials: Any) -> dict[str, float]:
    accuracies = {name: 100 * float(_accuracies(trials, name).mean()) for name in ACCURACIES}
    epochs = {name: float(trials[name].fillna(np.inf).median()) for name in EPOCHS}  # never reached counts as latest
    return {**accuracies, **epochs, "seconds": float(trials["seconds"].mean())}


def _accuracies(trials: Any, name: str) -> Any:
    """Return the values (S,) in 0..1 of a column in `ACCURACIES`, of the seeds that finished; of all if none did."""
    finished = trials[trials["outcome"] != "diverged"]
    return (finished if len(finished) else trials)[name if name.startswith("best") else f"final_{name}"]


def _compare_cell(row: dict[str, str], trials: Any) -> dict[str, Any]:
    printed = {f"published_{name}": float(row.get(name) or "nan") for name in (*ACCURACIES, *EPOCHS, "seconds")}
    name = "best_test_accuracy" if row and not row.get("test_accuracy") else "test_accuracy"
    bounds = stats.prediction_interval(100 * _accuracies(trials, name).to_numpy())
    low, high = (float(np.clip(bound, 0, 100)) for bound in bounds)
    diverged = int((trials["outcome"] == "diverged").sum())
    value = printed[f"published_{name}"]
    if not row:
        verdict = ""
    elif value < _CHANCE and not (100 * _accuracies(trials, "test_accuracy") >= _CHANCE).any():
        verdict = BOTH_FAIL
    elif len(trials) < stats.MIN_PAIRS:  # the interval of two seeds holds nearly everything
        verdict = FEW_SEEDS
    elif diverged:
        verdict = DIVERGED
    elif (low, high) == (0, 100):
        verdict = WIDE
    else:
        verdict = INSIDE if low - _ROUNDING <= value <= high + _ROUNDING else OUTSIDE
    return {**printed, "judged": name, "low": low, "high": high, "verdict": verdict}


def compare_differences(published: Published, verdicts: list[Verdict]) -> pd.DataFrame:
    """Return one row per entry of `verdicts.verdicts` whose two variants were published at the same grid point.

    `published_a`, `published_b` are test accuracies in %. `published_difference` and `mean`, `low`, `high` are b - a in
    percentage points. `agreement` is "same direction" or "opposite direction" where one variant is better here and
    there, otherwise "not decided here".
    """
    rows = [row for verdict in verdicts if (row := _compare_difference(published, verdict)) is not None]
    return pd.DataFrame(rows)


def _compare_difference(published: Published, verdict: Verdict) -> dict[str, Any] | None:
    a, b = (_test_accuracy(published, {"variant": verdict[end], **verdict["point"]}) for end in ("a", "b"))
    if a is None or b is None:
        return None
    mean, low, high = in_points(verdict)
    return {
        **{key: str(value) for key, value in verdict["point"].items()},
        "a": verdict["a"],
        "b": verdict["b"],
        "published_a": a,
        "published_b": b,
        "published_difference": round(b - a, 6),
        "mean": mean,
        "low": low,
        "high": high,
        "agreement": _agreement(round(b - a, 6), verdict),
    }


def _test_accuracy(published: Published, cell: dict[str, Any]) -> float | None:
    """Return the published test accuracy of a variant and grid point in %; None unless there is exactly one."""
    values = [float(row["test_accuracy"]) for row in published.rows if _matches(row, cell)]
    return values[0] if len(values) == 1 else None


def _agreement(published: float, verdict: Verdict) -> str:
    better = winner(verdict)
    if better is None or not published:
        return UNDECIDED
    return SAME if (better == verdict["b"]) == (published > 0) else OPPOSITE
