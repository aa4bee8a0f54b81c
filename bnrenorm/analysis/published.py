"""Published numbers next to measured ones.

Where network and images are the same, values compare, row by row; elsewhere only the signs of differences do.
"""

from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis import stats
from bnrenorm.published import Published

ACCURACIES = ("train_accuracy", "test_accuracy", "best_test_accuracy")
EPOCHS = ("epochs_to_95", "epochs_to_97", "epochs_to_98", "best_epoch")
INSIDE, OUTSIDE, FAILED, UNDECIDED = "inside", "outside", "both fail", "one seed"
_ROUNDING = 0.005  # of what was printed, in points
_CHANCE = 12.0  # % that guessing the most frequent digit, 11.35 %, stays below


def compare_values(published: Published, summary: pd.DataFrame) -> pd.DataFrame:
    """One row per variant and grid point: the article's columns, ours and published, and what they say of each other.

    Accuracies are means over seeds, in %, epochs medians, `seconds` a mean. low and high are the prediction interval
    of `judged`, the final test accuracy or, where that was not published, the best one: within these one more seed of
    ours would lie, and so would the published value if it was one.
    """
    keys = list(summary.columns[: list(summary.columns).index("seed")])
    rows = []
    cells: Any = summary.groupby(keys, sort=False)
    for cell, trials in cells:
        point = dict(zip(keys, cell if isinstance(cell, tuple) else (cell,), strict=True))
        found = [row for row in published.rows if _matches(row, point)]
        rows.append({**point, "seeds": len(trials), **_ours(trials), **_compared(found[0] if found else {}, trials)})
    return pd.DataFrame(rows)


def count(table: pd.DataFrame) -> str:
    """Say how many published values lie inside."""
    known = table[table["verdict"] != ""]
    parts = [f"{(known['verdict'] == word).sum()} {word}" for word in (INSIDE, FAILED, OUTSIDE, UNDECIDED)]
    return f"of {len(known)} published rows: " + ", ".join(part for part in parts if not part.startswith("0 "))


def _matches(row: dict[str, str], point: dict[str, Any]) -> bool:
    return all(key in row and _same(row[key], value) for key, value in point.items())


def _same(text: str, value: Any) -> bool:
    return text == value if isinstance(value, str) else bool(np.isclose(float(text), float(value), rtol=1e-9, atol=0))


def _ours(trials: Any) -> dict[str, float]:
    accuracies = {name: 100 * float(_values(trials, name).mean()) for name in ACCURACIES}
    epochs = {name: float(trials[name].fillna(np.inf).median()) for name in EPOCHS}
    return {**accuracies, **epochs, "seconds": float(trials["seconds"].mean())}


def _values(trials: Any, name: str) -> Any:
    return trials[name if name.startswith("best") else f"final_{name}"]


def _compared(row: dict[str, str], trials: Any) -> dict[str, Any]:
    printed = {f"published_{name}": float(row.get(name) or "nan") for name in (*ACCURACIES, *EPOCHS, "seconds")}
    judged = "best_test_accuracy" if row and not row.get("test_accuracy") else "test_accuracy"
    ours = 100 * _values(trials, judged).to_numpy()
    low, high = stats.prediction_interval(ours)
    value = printed[f"published_{judged}"]
    failed = value < _CHANCE and bool((100 * trials["final_test_accuracy"] < _CHANCE).all())
    verdict = "" if not row else FAILED if failed else _verdict(value, low, high)
    return {**printed, "judged": judged, "low": low, "high": high, "verdict": verdict}


def _verdict(value: float, low: float, high: float) -> str:
    if np.isnan(low):
        return UNDECIDED
    return INSIDE if low - _ROUNDING <= value <= high + _ROUNDING else OUTSIDE


def compare_differences(published: Published, verdicts: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per verdict (`tables.verdicts`) whose two arms were published, at the same grid point.

    `published_difference` and `mean`, `low`, `high` are b - a in percentage points. `agreement` is "same direction" or
    "opposite direction" where the measured interval excludes 0, "not decided here" elsewhere.
    """
    rows = [row for verdict in verdicts if (row := _difference_row(published, verdict)) is not None]
    return pd.DataFrame(rows)


def _difference_row(published: Published, verdict: dict[str, Any]) -> dict[str, Any] | None:
    point = {key: str(value) for key, value in verdict["point"].items()}
    arms = [
        [
            float(row["test_accuracy"])
            for row in published.rows
            if row["variant"] == name and point.items() <= row.items()
        ]
        for name in (verdict["a"], verdict["b"])
    ]
    if any(len(arm) != 1 for arm in arms):
        return None
    (a,), (b,) = arms
    mean, low, high = (None if verdict[name] is None else 100 * verdict[name] for name in ("mean", "low", "high"))
    return {
        **point,
        "a": verdict["a"],
        "b": verdict["b"],
        "published_a": a,
        "published_b": b,
        "published_difference": round(b - a, 6),
        "mean": mean,
        "low": low,
        "high": high,
        "agreement": _agreement(b - a, low, high),
    }


def _agreement(published: float, low: float | None, high: float | None) -> str:
    if low is None or high is None or low <= 0 <= high:
        return "not decided here"
    return "same direction" if (low > 0) == (published > 0) else "opposite direction"
