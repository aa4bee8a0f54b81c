"""Published values beside measured ones, row by row, where the network and the images are the same."""

from typing import Any

import numpy as np
import pandas as pd

from bnrenorm import stats
from bnrenorm.published import Published

ACCURACIES = ("train_accuracy", "test_accuracy", "best_test_accuracy")
EPOCHS = ("epochs_to_95", "epochs_to_97", "epochs_to_98", "best_epoch")
INSIDE, OUTSIDE, FAILED, UNDECIDED = "inside", "outside", "both fail", "one seed"
_ROUNDING = 0.005  # of what was printed, in points
_CHANCE = 12.0  # % that guessing the most frequent digit, 11.35 %, stays below


def compare(published: Published, summary: pd.DataFrame) -> pd.DataFrame:
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
        rows.append({**point, "seeds": len(trials), **_ours(trials), **_judge(found[0] if found else {}, trials)})
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


def _judge(row: dict[str, str], trials: Any) -> dict[str, Any]:
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
