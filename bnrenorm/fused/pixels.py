"""Images without their zeros, by image and by pixel: four fifths of a digit are black and need no arithmetic."""

from typing import NamedTuple

import numpy as np

from bnrenorm.fused import blas
from bnrenorm.fused.compiled import inlined, kernel
from bnrenorm.fused.rows import add_rows
from bnrenorm.fused.types import table

FEW = 0.35
"""The share of pixels other than 0 up to which leaving the others out is faster than BLAS."""

_PANEL = 112  # columns of the weights that are worked on together: 350 kB of the digits' stay in a core's cache


class Pixels(NamedTuple):
    """M images: the pixels of image m that are not 0 stand from start[m] to start[m + 1]."""

    start: np.ndarray  # (M + 1,) int64
    column: np.ndarray  # (pixels,) int32: which of the D
    value: np.ndarray  # (pixels,)


class Columns(NamedTuple):
    """The same by block of images: pixel j of block q stands from start[q, j] to start[q, j + 1]."""

    start: np.ndarray  # (blocks, D + 1) int64
    row: np.ndarray  # (pixels,) int32: which of the block's images
    value: np.ndarray  # (pixels,)


def density(images: np.ndarray) -> float:
    """Return the share of pixels of images (M, D) that are not 0."""
    return int(_count(images)[-1]) / max(images.size, 1)


def compress(images: np.ndarray) -> Pixels:
    """Leave out the zeros of images (M, D)."""
    start = _count(images)
    found = Pixels(start, np.empty(start[-1], np.int32), np.empty(start[-1], images.dtype))
    _fill(images, found)
    return found


@kernel
def _count(images):
    """Return where the pixels of each image (M, D) begin, and end, when zeros are left out: (M + 1,)."""
    start = np.empty(len(images) + 1, np.int64)
    start[0] = 0
    for m in range(len(images)):
        count = 0
        for j in range(images.shape[1]):
            count += images[m, j] != 0
        start[m + 1] = start[m] + count
    return start


@kernel
def _fill(images, found):
    at = 0
    for m in range(len(images)):
        for j in range(images.shape[1]):
            if images[m, j] != 0:
                found.column[at] = j
                found.value[at] = images[m, j]
                at += 1


def nothing(dtype: np.dtype) -> Pixels:
    """Return what stands for images that are taken as they are."""
    return Pixels(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, dtype))


def by_column(pixels: Pixels, width: int, rows: int) -> Columns:
    """Sort the pixels of every block of so many images by which of the `width` they are."""
    images = len(pixels.start) - 1
    blocks = -(-images // rows)
    start = np.zeros((blocks, width + 1), np.int64)
    row, value = np.empty_like(pixels.column), np.empty_like(pixels.value)
    for q in range(blocks):
        starts = pixels.start[q * rows : (q + 1) * rows + 1]
        here = slice(starts[0], starts[-1])
        column = pixels.column[here]
        order = np.argsort(column.astype(np.uint16) if width <= 2**16 else column, kind="stable")  # 16 bits: by radix
        row[here] = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))[order]
        value[here] = pixels.value[here][order]
        start[q] = starts[0] + np.concatenate([[0], np.cumsum(np.bincount(column, minlength=width))])
    return Columns(start, row, value)


@inlined
def linear_from(images, pixels, lo, w, b, y):
    """y = x w + b, of the images from `lo`: w (D, pitch), b (K,), y (n, K); pixels as from `compress` or `nothing`."""
    n, width = y.shape
    if len(pixels.start) == 1:
        blas.by_pixel(images[lo : lo + n], w, y)
        for i in range(n):
            for k in range(width):
                y[i, k] += b[k]
        return
    panel = w if width <= _PANEL else table(len(w), _PANEL, w)
    for first in range(0, width, _PANEL):
        columns = min(_PANEL, width - first)
        if width > _PANEL:
            for j in range(len(w)):
                for k in range(columns):
                    panel[j, k] = w[j, first + k]
        for i in range(n):
            for k in range(columns):
                y[i, first + k] = b[first + k]
            begin, end = pixels.start[lo + i], pixels.start[lo + i + 1]
            add_rows(begin, end, pixels.value, pixels.column, panel, y, i * width + first, columns)
