"""Texts in the room that a figure has for them: headings in lines, labels under an axis, legends in columns."""

import math
import re
import textwrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from bnrenorm.analysis.plots.names import plain, shorter
from bnrenorm.config.trial import before

KEPT = "\u00a0"
"""A space at which no line of `name_points` ends."""

_HEADING = 30  # characters of a line above a narrow panel
_TITLE = 11  # characters of a figure's title per inch
_PER_INCH = 13  # characters under an axis
_SLANTED, _LONGEST = 6, 28  # slanted labels in an inch, and characters of a line of one, at most
_LEGEND, _HANDLE = 16, 0.6  # characters of a legend per inch, and the inches before a text
_BELOW = 5  # entries of a figure's legend below it; more stand at its right
_SIDE = 0.25  # of a figure's width, at most, for a column of such a legend
_ENTRY = 0.2  # inches of its height


def heading(text: str, line: int = _HEADING) -> str:
    """Return a text in lines of at most `line` characters where it has spaces; by default for a narrow panel."""
    lines = (textwrap.fill(part, line, break_long_words=False, break_on_hyphens=False) for part in text.split("\n"))
    return "\n".join(lines)


def title_figure(figure: Figure, text: str) -> None:
    """Put a title above all panels."""
    figure.suptitle(heading(text, int(_TITLE * figure.get_size_inches()[0])))


def name_point(keys: list[str], cell: Any) -> str:
    """Return the values `cell` of the grid's axes `keys` as the heading of a narrow panel."""
    values = [f"{plain(before(key, value))} {plain(value)}" for key, value in zip(keys, cell, strict=True)]
    return heading(", ".join(values))


def room_for_points(ax: Any, count: int) -> int:
    """Return how many characters a line of `name_points` has, with so many labels."""
    return int(_PER_INCH * ax.get_window_extent().width / ax.figure.dpi / count) - 1


def name_points(ax: Any, labels: list[str]) -> None:
    """Write labels at 0, 1, ... of the x axis, in several lines or slanted where they would touch each other.

    No line holds a number or another short word alone. Of more slanted ones than there is room for, every second,
    third ... is written.
    """
    room = room_for_points(ax, len(labels))
    kept = [re.sub(r" (?=\S{1,2}$)", KEPT, label, flags=re.MULTILINE) for label in labels]
    words = [word for label in kept for word in re.split("[ \n]", label)]
    every, style = 1, {}
    if max(map(len, words)) <= room:
        kept = ["\n".join(textwrap.fill(line, room) for line in label.split("\n")) for label in kept]
    else:
        every = math.ceil(len(labels) / (_SLANTED * ax.get_window_extent().width / ax.figure.dpi))
        kept = ["\n".join(shorter(line, _LONGEST) for line in label.split("\n")) for label in kept]
        style = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(0, len(labels), every), [label.replace(KEPT, " ") for label in kept[::every]], **style)


def legend_below(ax: Any, columns: int = 1) -> int:
    """Put the legend of `ax` below its x label, off the data; a constrained layout makes room for it.

    It has as many of the columns as its width holds. Returns the number of its rows.
    """
    labels = [label.get_text() for label in ax.get_xticklabels()]
    size = ax.xaxis.label.get_size()
    is_slanted = any(label.get_rotation() for label in ax.get_xticklabels())
    longest = max((len(line) for label in labels for line in label.split("\n")), default=1)
    breaks = max((label.count("\n") for label in labels), default=0)
    depth = (0.35 * longest if is_slanted else 1.4) * size + 1.4 * size * breaks
    below = offset_copy(ax.transAxes, ax.figure, y=-(depth + 2.2 * size), units="points")
    inches = ax.get_window_extent().width / ax.figure.dpi
    entries = ax.get_legend_handles_labels()[1]
    columns = min(columns, _columns(entries, inches))
    ax.legend(frameon=False, ncols=columns, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below)
    return math.ceil(len(entries) / columns)


def legend_of_figure(figure: Figure, entries: list[tuple[str, Any]], title: str = "", most: int = _BELOW) -> None:
    """Name the lines of all panels, as (label, handle), below them; if there are more than `most`, at their right.

    Of many long labels, none stands at the right.
    """
    labels, (width, height) = [label for label, _ in entries], figure.get_size_inches()
    if len(labels) > most and _width(labels) <= _SIDE * width:
        place: Any = {"loc": "outside center right", "ncols": math.ceil(_ENTRY * len(labels) / (height - 1))}
    else:
        place = {"loc": "outside lower center", "ncols": _columns(labels, width)}
    figure.legend([handle for _, handle in entries], labels, title=title or None, **place)


def _columns(labels: list[str], inches: float) -> int:
    """Return the columns of a legend that fit, 1 at least."""
    return max(1, min(len(labels), int(inches / _width(labels))))


def _width(labels: list[str]) -> float:
    """Return the inches of a column of a legend."""
    return _HANDLE + max(map(len, labels), default=0) / _LEGEND
