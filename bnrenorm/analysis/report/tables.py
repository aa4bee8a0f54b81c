"""The report's tables as plain data: verdicts, variants, trials, settings that differ."""

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bnrenorm.analysis import aggregates, intervals
from bnrenorm.analysis.verdicts import IDENTICAL, Verdict, in_points, p_cell
from bnrenorm.config.trial import value_text
from bnrenorm.numbers import counted, number

Cell = float | int | str | None

PAGE = 50
"""Rows of a table that are shown at a time."""

_HUGE, _TINY = 1e6, 1e-3


@dataclass(frozen=True)
class Column:
    """A column: its heading, and how many digits its numbers show.

    digits: behind the point; negative: significant ones; None: the column holds text and whole numbers. `title` says
    what the heading means, where a pointer rests on it.
    """

    name: str
    digits: int | None = None
    title: str = ""


@dataclass(frozen=True)
class Table:
    """A table with rows of cells; what a cell holds is exact, `text` is what is shown of it."""

    key: str
    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    note: str = ""

    def page(self) -> list[list[str]]:
        """Return the first page as it is shown."""
        return [
            [text(cell, column.digits) for cell, column in zip(row, self.columns, strict=True)]
            for row in self.rows[:PAGE]
        ]

    def data(self) -> dict[str, Any]:
        """Return the table for JSON: numbers that it lacks are text."""
        return {
            "key": self.key,
            "page": PAGE,
            "columns": [{"name": column.name, "digits": column.digits} for column in self.columns],
            "rows": [[_plain(cell) for cell in row] for row in self.rows],
        }


def text(cell: Cell, digits: int | None) -> str:
    """Return what is shown of a cell; a missing one is empty."""
    if cell is None:
        return ""
    if isinstance(cell, str) or digits is None:
        return value_text(cell)
    if not math.isfinite(cell):
        return "NaN" if math.isnan(cell) else "∞" if cell > 0 else "-∞"
    if digits >= 0 and abs(cell) < _HUGE:
        return number(cell, f".{digits}f")
    if cell and not _TINY <= abs(cell) < _HUGE:
        return number(cell, ".2e")
    return f"{float(number(cell, f'.{-digits}g')):.15g}"  # 788200, where .4g is 7.882e+05


def _plain(cell: Cell) -> Cell:
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell


def table(key: str, title: str, columns: Sequence[tuple[Column, Iterable[Any]]], note: str) -> Table:
    """Return a table of columns with their cells."""
    rows = zip(*(cells for _, cells in columns), strict=True)
    return Table(key, title, [column for column, _ in columns], [list(row) for row in rows], note)


def named(frame: pd.DataFrame, names: Iterable[str]) -> list[tuple[Column, Iterable[Any]]]:
    """Return columns of a frame by their own names, with their cells."""
    return [(Column(name), map(cell_of, frame[name])) for name in names]


PAIR = (Column("variant"), Column("against", title="the variant that it is compared with"))


def difference_columns(unit: str, of: str = "") -> list[Column]:
    """Return the columns of a paired difference and its interval."""
    return [
        Column(f"{of}difference{unit}", 2, "mean over the seeds of the variant less the one it is against, paired"),
        Column(f"low{unit}", 2, "lower end of the 95 % interval of the difference"),
        Column(f"high{unit}", 2, "upper end of the 95 % interval of the difference"),
    ]


def verdicts(entries: list[Verdict]) -> Table:
    """Return a row per comparison, with differences and intervals in percentage points."""
    of = {name: [entry[name] for entry in entries] for name in entries[0]}
    points = zip(*map(in_points, entries), strict=True)
    is_same = [verdict == IDENTICAL for verdict in of["verdict"]]
    p, p_holm = ([None if same else p for same, p in zip(is_same, of[name], strict=True)] for name in ("p", "p_holm"))
    needed = [count or None for count in of["more_seeds"]]
    columns = [
        *zip(PAIR, (of["b"], of["a"]), strict=True),
        *(axis(name, [point[name] for point in of["point"]]) for name in of["point"][0]),
        *zip(difference_columns(" (points)"), points, strict=True),
        (Column("p", -4, "how often a difference as large would arise by chance if there were none"), p),
        (Column("p after Holm", -4, "p corrected for the number of comparisons"), p_holm),
        (Column("pairs", title="seeds in which both finished, or 1 where no seed changes anything"), of["pairs"]),
        (Column("verdict"), of["verdict"]),
        (Column("diverged", title="with the p of McNemar's exact test"), map(_diverged, entries)),
        (
            Column("more seeds needed", title="an estimate of how many a decision needs; below 6 pairs the fewest"),
            needed,
        ),
    ]
    note = (
        "Difference: the variant's final test accuracy less that of the one it is against; low and high bound the mean "
        "with 95 % confidence."
    )
    if any(value is not None for value in p):
        family = counted(entries[0]["comparisons"], "comparison")
        note += (
            " p is that of the sign-flip test, which the interval inverts [Hartigan 1969]; both are exact up to "
            f"{intervals.COUNTED} pairs. Holm's correction is over {family}; intervals, and with them “equivalent”, "
            "are not corrected."
        )
    return table("verdicts", "Comparisons", columns, note)


def _diverged(entry: Verdict) -> str:
    counts = [f"{name} {count} of {entry['seeds']}" for name, count in entry["diverged"].items() if count]
    p = entry["p_diverged"]
    return ", ".join(counts) + ("" if p is None else f" (p = {p_cell(p)})")


_VALUES = {
    "final_test_accuracy": ("test accuracy %", 100, 2),
    "best_test_accuracy": ("best test accuracy %", 100, 2),
    "final_validation_accuracy": ("validation accuracy %", 100, 2),
    "final_train_accuracy": ("training accuracy %", 100, 2),
    "final_test_loss": ("test loss", 1, -4),
    "final_train_loss": ("training loss", 1, -4),
    "best_epoch": ("epochs to the best", 1, -3),
    "seconds": ("seconds", 1, 1),
}
"""Columns of `summary` that are shown: heading, factor, digits."""


def variants(summary: pd.DataFrame, axes: list[str], remark: str) -> Table:
    """Return a row per variant and grid point: means and standard deviations over the seeds that finished.

    remark: what is said of the values besides.
    """
    values = {name: how for name, how in _VALUES.items() if name in summary and not name.startswith("best")}
    means = aggregates.means(summary, {name: name for name in values})
    columns = [*named(means, ["variant"]), *(axis(name, means[name]) for name in axes)]
    columns += [(Column("finished"), means["seeds"] - means["diverged"]), (Column("diverged"), means["diverged"])]
    for name, (heading, factor, digits) in values.items():
        spread = Column(f"± {heading}", digits)
        columns += [(Column(heading, digits), map(_number, factor * means[name]))]
        columns += [(spread, map(_number, factor * means[f"{name}_std"]))]
    note = f"Means ± standard deviations over the seeds that finished. {remark}"
    return table("variants", "Final values", columns, note)


def trials(summary: pd.DataFrame, axes: list[str], made_by: list[int]) -> Table:
    """Return a row per trial; made_by: for every trial the number of what trained it (`provenance`)."""
    columns = [*named(summary, ["variant"]), *(axis(name, summary[name]) for name in axes)]
    columns += named(summary, ["seed", "outcome"])
    for name, (heading, factor, digits) in _VALUES.items():
        if name in summary:
            columns.append((Column(heading, digits), factor * summary[name]))
    columns += [*named(summary, ["engine", "device"]), (Column("trained by"), made_by)]
    note = "“trained by” is a row of the table of provenance. What is best is so on the test images, which flatters."
    return table("trials", "Trials", columns, note)


def settings(described: Mapping[str, Mapping[str, Any]], key: str, title: str, note: str) -> Table:
    """Return the settings in which some of the named documents differ: a row per setting, a column per document."""
    flat = {name: dict(flattened(document)) for name, document in described.items()}
    names = list(dict.fromkeys(setting for document in flat.values() for setting in document))
    rows: list[list[Cell]] = []
    for name in names:
        values = [document.get(name, "") for document in flat.values()]
        if len(set(values)) > 1:
            rows.append([name, *values])
    return Table(key, title, [Column("setting"), *map(Column, flat)], rows, note)


def flattened(document: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield the dotted keys of nested settings with their values as text."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value_text(value)


def axis(name: str, values: Iterable[Any]) -> tuple[Column, Iterable[Any]]:
    """Return a column of a grid's axis, with values as a config writes them: null, and lists."""
    cells = [cell_of(value) for value in values]  # of a column with null, maybe floats and NaN
    return Column(name), ["null" if cell is None else cell for cell in cells]


def cell_of(value: Any) -> Cell:
    """Return a cell of a table: a number, or text; None stays so."""
    if value is None or isinstance(value, bool | tuple | list):
        return None if value is None else value_text(value)
    if isinstance(value, numbers.Integral):  # NumPy's among them
        return int(value)
    if isinstance(value, numbers.Real):
        return _number(float(value))
    return str(value)


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)
