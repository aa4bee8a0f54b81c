"""Images without their zeros: four fifths of a digit are black and need no arithmetic."""

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


def density(images: np.ndarray) -> float:
    """Return the share of pixels of images (M, D) that are not 0."""
    return int(_starts(images)[-1]) / max(images.size, 1)


def compress(images: np.ndarray) -> Pixels:
    """Leave out the zeros of images (M, D)."""
    start = _starts(images)
    found = Pixels(start, np.empty(start[-1], np.int32), np.empty(start[-1], images.dtype))
    _fill(images, found)
    return found


def _starts(images: np.ndarray) -> np.ndarray:
    """Return where the pixels of each image (M, D) begin, and end, when zeros are left out: (M + 1,)."""
    start = np.zeros(len(images) + 1, np.int64)
    _count(images, start)
    return start


@kernel
def _count(images, start):
    for m in range(len(images)):
        count = 0
        for j in range(images.shape[1]):
            count += images[m, j] != 0
        start[m + 1] = start[m] + count


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
