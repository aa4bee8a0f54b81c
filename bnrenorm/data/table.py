"""Tables of comma-separated values: one image a row, its label in the first column or in one named label or class."""

import numpy as np

from bnrenorm.data.content import LIMIT, Content
from bnrenorm.errors import InputError

LABELS = ("label", "class")
_INDEX = ("", "unnamed: 0")  # headers of the index that pandas writes unasked
_IDS = ("id", "index", "row", "row_id")  # headers of what counts or names the rows
_NAMED = 6  # columns that a message names
_SEPARATOR = ","
_LIMIT = LIMIT // 4  # bytes of text: "0," becomes a float64

Table = tuple[np.ndarray, np.ndarray]
"""Images (N, D), uint8 if they are whole numbers in 0..255 and float64 otherwise, and labels (N,)."""


def read(content: Content) -> Table | str:
    """Read a table, whose first line may be a header; returns its columns as text if none of them has the labels."""
    text = content.file.read(min(content.capacity, _LIMIT) + 1)
    if len(text) > _LIMIT:
        raise InputError(f"{content.name}: has more than {_LIMIT:,} bytes of text, which is the limit")
    lines = text.decode("utf-8-sig").splitlines()
    if not lines[0].strip():
        raise InputError(f"{content.name}: line 1 is empty, expected a header or a row of numbers")
    cells = [cell.lower() for cell in _cells(lines[0])]
    dropped, column = [], 0
    if has_header := _is_header(cells):
        columns = [i for i, cell in enumerate(cells) if cell in LABELS]
        if not columns:
            return ", ".join([*cells[:_NAMED], *["..."] * (len(cells) > _NAMED)])
        if ids := [cell for cell in cells if cell in _IDS]:  # a network would read the label in sorted rows from it
            raise InputError(f"{content.name}: has a column {ids[0]}, expected pixels and labels; remove it")
        if len(columns) > 1:  # the others would be pixels that give the label away
            named = ", ".join(cells[i] for i in columns)
            raise InputError(f"{content.name}: has the columns {named}, expected one of them; remove the others")
        (column,) = columns
    if not any(map(str.strip, lines[has_header:])):
        raise InputError(f"{content.name}: has a header, but no rows")
    try:
        values = np.loadtxt(lines[has_header:], np.float64, delimiter=_SEPARATOR, comments=None, quotechar='"', ndmin=2)
    except ValueError as error:
        raise InputError(f"{content.name}: {_fault(lines, has_header, len(cells)) or error}") from error
    if values.shape[1] != len(cells):
        raise InputError(f"{content.name}: {_fault(lines, has_header, len(cells))}")
    if cells[0] in _INDEX:
        if (values[:, 0] != np.arange(len(values))).any():
            raise InputError(f"{content.name}: has a first column without a name, expected pixels or labels; remove it")
        dropped = [0]
    labels = values[:, column]
    if (broken := labels[labels != np.floor(labels)]).size:
        where = f"column {column + 1}" if has_header else "the first column"
        named = "" if has_header else ", or a header with a column label"
        raise InputError(f"{content.name}: {where} has {broken[0]:g}, expected labels, which are whole numbers{named}")
    return _as_bytes(np.delete(values, [*dropped, column], axis=1)), labels


def _fault(lines: list[str], start: int, columns: int) -> str | None:
    """Say which of the lines from `start` on is the first that is not a row of numbers, as many as `columns`."""
    for number, line in enumerate(lines[start:], start + 1):
        cells = _cells(line)
        if line.strip() and len(cells) != columns:
            return f"line {number}: {len(cells)} cells, expected {columns} as in line 1"
        if line.strip() and _is_header(cells):
            cell = next(cell for cell in cells if _is_header([cell]))
            return f"line {number} has {cell[:20]!r} in column {cells.index(cell) + 1}, expected a number"
    return None


def _cells(line: str) -> list[str]:
    return [cell.strip(" \"'") for cell in line.split(_SEPARATOR)]


def _is_header(cells: list[str]) -> bool:
    try:
        np.asarray(cells, np.float64)
    except ValueError:
        return True
    return False


def _as_bytes(images: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # NaN and numbers out of range: they differ afterwards
        whole = images.astype(np.uint8)
    return whole if (whole == images).all() else images
