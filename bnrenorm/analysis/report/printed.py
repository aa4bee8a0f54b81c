"""The report's table of published numbers next to ours."""

from typing import Any

import pandas as pd

from bnrenorm.analysis.report.tables import PAIR, Cell, Column, Table, cell_of, difference_columns
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
    columns = [Column("variant"), *map(Column, axes), Column("seeds")]
    cells = [rows["variant"], *(rows[axis] for axis in axes), rows["seeds"]]
    for name, heading in _ACCURACIES.items():
        if rows[f"published_{name}"].notna().any():
            columns += [Column(f"{heading}, ours", 2), Column("published", 2, f"the {heading} as printed")]
            cells += [rows[name], rows[f"published_{name}"]]
    if rows["low"].notna().any():
        columns += [
            Column("one more seed from", 2, "95 % prediction interval of one more seed of ours, in %: lower end"),
            Column("to", 2, "95 % prediction interval of one more seed of ours, in %: upper end"),
        ]
        cells += [rows["low"], rows["high"]]
    columns.append(Column("published value is", title="inside or outside of the prediction interval of one more seed"))
    cells.append(rows["verdict"])
    return Table("published", "Published values and ours", columns, _rows(cells), source)


def _differences(frame: pd.DataFrame, source: str) -> Table:
    """Return a row per comparison: the published difference, ours with its interval, and whether they agree."""
    pair = ("b", "a")
    known = {"a", "b", "published_a", "published_b", "published_difference", "mean", "low", "high", "agreement"}
    axes = [name for name in frame.columns if name not in known]
    columns = [*PAIR, *map(Column, axes), Column("published difference (points)", 2)]
    columns += [*difference_columns(" (points)", "our "), Column("agreement")]
    names = (*pair, *axes, "published_difference", "mean", "low", "high", "agreement")
    return Table("published", "Published differences and ours", columns, _rows([frame[name] for name in names]), source)


def _rows(cells: list[Any]) -> list[list[Cell]]:
    return [[cell_of(value) for value in row] for row in zip(*(column.tolist() for column in cells), strict=True)]
