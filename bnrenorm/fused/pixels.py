"""Images without their zeros, by image and by pixel: four fifths of a digit are black and need no arithmetic."""

from typing import NamedTuple

import numpy as np

from bnrenorm.fused.compiled import kernel

FEW = 0.35
"""The share of pixels other than 0 up to which leaving the others out is faster than BLAS."""


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


def compress(images: np.ndarray, order: np.ndarray | None = None) -> Pixels:
    """Leave out the zeros of images (M, D), taken in an order (M,) other than their own where one is given."""
    order = np.arange(len(images)) if order is None else order
    start = np.zeros(len(images) + 1, np.int64)
    np.cumsum(np.diff(_count(images))[order], out=start[1:])
    found = Pixels(start, np.empty(start[-1], np.int32), np.empty(start[-1], images.dtype))
    _fill(images, order, found)
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
def _fill(images, order, found):
    at = 0
    for m in order:
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
