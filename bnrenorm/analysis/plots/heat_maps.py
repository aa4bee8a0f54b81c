"""Grids of two axes: a heat map whose cells hold the numbers, so that it can be read without colours too."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bnrenorm.analysis import aggregates
from bnrenorm.analysis.plots.names import plain
from bnrenorm.analysis.verdicts import Verdict, winner

_FARTHEST = 3.0  # values beyond so many times the typical one all have the last colour
_SMALLEST = 0.2  # of the scale of colours, in percentage points
_DENSITY = 15  # characters of a note per inch
_LINE = 0.17  # inches of a line in a cell
_NUMBER, _LABEL = 6, 13  # characters of a number, and of a row's name per inch


@dataclass(frozen=True)
class Cell:
    """One grid point: the value (NaN: none), a note below it, and whether the value is a decided one.

    The note has three forms, the longest first, of which all cells of a map write the first that fits everywhere.
    """

    value: float
    notes: tuple[str, str, str] = ("", "", "")
    is_decided: bool = False


@dataclass(frozen=True)
class Scale:
    """The colours of the values from `low` to `high`; `extend` as Matplotlib's: which ends values go beyond."""

    colormap: str
    low: float
    high: float
    extend: str


def heat_map(
    ax: Any, cells: dict[tuple[Any, Any], Cell], scale: Scale, axes: tuple[str, str], write: Callable[[float], str]
) -> Any:
    """Draw cells by (row, column), both in the order of their first appearance; return the colours, for a colour bar.

    axes: names of rows and columns; write: a value as the cell's text, which is bold where the value is decided.
    """
    rows, columns = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    values = np.full((len(rows), len(columns)), np.nan)
    for (row, column), cell in cells.items():
        values[rows.index(row), columns.index(column)] = cell.value
    mesh = ax.pcolormesh(values, cmap=scale.colormap, vmin=scale.low, vmax=scale.high, edgecolor="white", linewidth=1.5)
    width, height = ax.get_window_extent().size / ax.figure.dpi
    width -= labels_width(rows)
    note_of = _fitting(cells, int(_DENSITY * width / len(columns)), int(height / len(rows) / _LINE) - 1)
    for (row, column), cell in cells.items():
        centre = (columns.index(column) + 0.5, rows.index(row) + 0.5)
        text = "" if np.isnan(cell.value) else write(cell.value)
        is_dark = not np.isnan(cell.value) and sum(mesh.cmap(mesh.norm(cell.value))[:3]) < 1.4
        style: Any = {"ha": "center", "color": "white" if is_dark else "black", "textcoords": "offset points"}
        note = note_of[row, column]
        above = {"xytext": (0, 1), "va": "bottom"} if note else {"xytext": (0, 0), "va": "center"}
        ax.annotate(text, centre, **style, **above, weight="bold" if cell.is_decided else "normal")
        ax.annotate(note, centre, **style, xytext=(0, -1), va="top", fontsize="x-small")
    ax.set_xticks(np.arange(len(columns)) + 0.5, [plain(column) for column in columns])
    ax.set_yticks(np.arange(len(rows)) + 0.5, [plain(row) for row in rows])
    ax.set(xlabel=plain(axes[1]), ylabel=plain(axes[0]), facecolor="0.93")
    ax.invert_yaxis()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return mesh


def labels_width(rows: Iterable[Any]) -> float:
    """Return the inches that the names of rows take which are longer than a number's."""
    return max(0, max(len(plain(row)) for row in rows) - _NUMBER) / _LABEL


def difference_cells(verdicts: list[Verdict], axes: tuple[str, str]) -> dict[tuple[Any, Any], Cell]:
    """Return the verdicts on one pair as cells in percentage points; the notes are the verdict in a word."""
    return {
        (_key(verdict["point"][axes[0]]), _key(verdict["point"][axes[1]])): Cell(
            np.nan if verdict["mean"] is None else 100 * verdict["mean"],
            _notes(verdict),
            winner(verdict) is not None,
        )
        for verdict in verdicts
    }


def accuracy_cells(summary: pd.DataFrame, axes: tuple[str, str]) -> dict[tuple[Any, Any], Cell]:
    """Return a `tables.summary` of one variant as cells: mean final test accuracy in % of the trials that finished."""
    cells: dict[tuple[Any, Any], Cell] = {}
    for point in aggregates.means(summary, {"final_test_accuracy": "mean"}).to_dict("records"):
        notes = _lost(f"{point['diverged']} of {point['seeds']} diverged", point["diverged"])
        cells[_key(point[axes[0]]), _key(point[axes[1]])] = Cell(100 * point["mean"], notes)
    return cells


def _key(value: Any) -> Any:
    """Return a value of a grid axis as one that equals itself."""
    return None if value is None or value != value else value


def _fitting(cells: dict[Any, Cell], room: int, lines: int) -> dict[Any, str]:
    """Return the notes in the longest form that fits so many lines of `room` characters, empty ones without a line."""
    notes = dict.fromkeys(cells, "")
    for form in range(3 if lines > 0 else 0):
        notes = {key: cell.notes[form] for key, cell in cells.items()}
        parts = [note.split("\n") for note in notes.values()]
        if all(len(part) <= lines and max(map(len, part)) <= room for part in parts):
            break
    return notes


def _notes(verdict: Verdict) -> tuple[str, str, str]:
    counts = verdict["diverged"]
    if any(counts.values()):
        lines = [f"{plain(name)} {count} of {verdict['seeds']} diverged" for name, count in counts.items() if count]
        return _lost("\n".join(lines), sum(counts.values()))
    if better := winner(verdict):
        return f"{plain(better)} better", "", ""  # the bold number's sign says it
    word = verdict["verdict"].removesuffix(" by construction")
    return word, word, ""


def _lost(text: str, count: int) -> tuple[str, str, str]:
    """Return notes on trials that diverged, which are not left out where there is no room."""
    return (text, f"{count} diverged", f"{count} div.") if count else ("", "", "")


def difference_scale(values: Any) -> Scale:
    """Return red to blue, white at 0; a few values that are much larger than the others do not stretch the colours."""
    size = np.abs(np.asarray(values, float))
    size = size[np.isfinite(size)]
    largest = float(size.max(initial=0))
    high = max(_SMALLEST, min(largest, _FARTHEST * _typical(size)))
    return Scale("RdBu", -high, high, "both" if largest > high else "neither")


def accuracy_scale(values: Any) -> Scale:
    """Return dark to light; a few values that are much worse than the others do not stretch the colours."""
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Scale("viridis", 0, 100, "neither")
    lowest, high = float(numbers.min()), float(numbers.max())
    low = min(max(lowest, high - (1 + _FARTHEST) * _typical(high - numbers)), high - _SMALLEST)
    return Scale("viridis", low, high, "min" if lowest < low else "neither")


def _typical(sizes: np.ndarray) -> float:
    """Return the median of numbers ≥ 0; if that is 0, as where a task is easy for most, that of the positive ones."""
    if not sizes.any():
        return 0.0
    return float(np.median(sizes)) or float(np.median(sizes[sizes > 0]))
