"""The report's table of published numbers next to ours."""

from typing import Any

import pandas as pd

from bnrenorm.analysis import aggregates
from bnrenorm.analysis.report import tables
from bnrenorm.analysis.report.tables import PAIR, Column, Table, cell_of, difference_columns
from bnrenorm.analysis.results import ExperimentResults

_ACCURACIES = {
    "test_accuracy": "test accuracy %",
    "best_test_accuracy": "best test accuracy %",
    "train_accuracy": "training accuracy %",
}
_LEFT_OUT = "published.csv has epochs and times too."


def table(results: ExperimentResults) -> Table | None:
    """Return the published values, or differences, next to ours; None if nothing was published."""
    if results.published is None:
        return None
    source = results.published.source
    if results.published_values is not None and not results.published_values.empty:
        axes = [key for key, _ in results.experiment.points[0]]
        return _values(results.published_values, axes, f"{source.rstrip('.')}. {_LEFT_OUT}")
    if results.published_differences is not None and not results.published_differences.empty:
        return _differences(results.published_differences, source)
    return None


def _values(frame: pd.DataFrame, axes: list[str], source: str) -> Table:
    """Return a row per published variant and grid point: each accuracy as published and ours, and what comes of it."""
    rows: Any = frame[frame["verdict"] != ""]
    rows = rows.assign(**{name: tables.axis(name, rows[name])[1] for name in axes})
    columns = {name: Column(name) for name in ("variant", *axes, "seeds")}
    for name, heading in _ACCURACIES.items():
        if rows[f"published_{name}"].notna().any():
            columns[name] = Column(f"{heading}, ours", 2)
            columns[f"published_{name}"] = Column("published", 2, f"the {heading} as printed")
    if rows["low"].notna().any():
        interval = "95 % prediction interval of one more seed of ours, in %"
        columns["low"] = Column("one more seed from", 2, f"{interval}: lower end")
        columns["high"] = Column("to", 2, f"{interval}: upper end")
    of_verdict = "inside or outside of the prediction interval of one more seed"
    columns["verdict"] = Column("published value is", title=of_verdict)
    return _table("Published values and ours", rows, columns, source)


def _differences(frame: pd.DataFrame, source: str) -> Table:
    """Return a row per comparison: the published difference, ours with its interval, and whether they agree."""
    b, a = PAIR
    columns = {"b": b, "a": a, **{name: Column(name) for name in aggregates.keys_of(frame, "a")}}
    columns["published_difference"] = Column("published difference (points)", 2)
    columns |= zip(("mean", "low", "high"), difference_columns(" (points)", "our "), strict=True)
    columns["agreement"] = Column("agreement")
    return _table("Published differences and ours", frame, columns, source)


def _table(title: str, frame: pd.DataFrame, columns: dict[str, Column], source: str) -> Table:
    """Return a table of the columns of a frame of these names."""
    cells = [(column, map(cell_of, frame[name])) for name, column in columns.items()]
    return tables.table("published", title, cells, source)
