"""Tables of comma-separated values: one image a row, its label in the first column or in one named label or class."""

import io

import numpy as np

from bnrenorm.data.content import LIMIT, Content
from bnrenorm.errors import InputError

LABELS = ("label", "class")
_LIMIT = LIMIT // 4  # bytes of text: "0," becomes a float64

Table = tuple[np.ndarray, np.ndarray]
"""Images (N, D), uint8 if they are whole numbers in 0..255 and float64 otherwise, and labels (N,)."""


def read(content: Content) -> Table | None:
    """Read a table, whose first line may be a header; returns None if the header names no column of labels."""
    text = content.file.read(min(content.capacity, _LIMIT) + 1)
    if len(text) > _LIMIT:
        raise InputError(f"{content.name}: has more than {_LIMIT:,} bytes of text, which is the limit")
    header, _, body = text.decode("utf-8-sig").partition("\n")
    column = 0
    if _is_header(cells := [cell.strip(" \r\"'").lower() for cell in header.split(",")]):
        labels = [name for name in LABELS if name in cells]
        if not labels:
            return None
        column = cells.index(labels[0])
    else:
        body = f"{header}\n{body}"
    if not body.strip():
        raise InputError(f"{content.name}: has a header, but no rows")
    values = np.loadtxt(io.StringIO(body), np.float64, delimiter=",", comments=None, quotechar='"', ndmin=2)
    images = np.delete(values, column, axis=1)
    return _as_bytes(images), values[:, column]


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
