"""Published differences beside measured ones: another network and other images, so that only their signs compare."""

from typing import Any

import pandas as pd

from bnrenorm.published import Published

_METRIC = "test_accuracy"


def compare(published: Published, verdicts: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per verdict (`tables.verdicts`) whose two arms were published, at the same grid point.

    `published_difference` and `mean`, `low`, `high` are b - a in percentage points. `agreement` is "same direction" or
    "opposite direction" where the measured interval excludes 0, "not decided here" elsewhere.
    """
    rows = [row for verdict in verdicts if (row := _row(published, verdict)) is not None]
    return pd.DataFrame(rows)


def _row(published: Published, verdict: dict[str, Any]) -> dict[str, Any] | None:
    point = {key: str(value) for key, value in verdict["point"].items()}
    arms = [
        [float(row[_METRIC]) for row in published.rows if row["variant"] == name and point.items() <= row.items()]
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
