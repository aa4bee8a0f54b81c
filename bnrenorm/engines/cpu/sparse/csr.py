"""Images in compressed sparse rows: four fifths of a digit's pixels are black and need no arithmetic."""

from typing import NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.decorators import kernel, subroutine

SPARSE_BELOW = 0.35
"""Density (share of pixels that are not 0) below which the sparse path beats BLAS."""


class CSR(NamedTuple):
    """M images; the pixels of image m that are not 0 are at indptr[m] to indptr[m + 1] - 1, as in SciPy."""

    indptr: np.ndarray  # (M + 1,) int64
    indices: np.ndarray  # (pixels,) int32: positions in the image
    data: np.ndarray  # (pixels,): values


def density(images: np.ndarray) -> float:
    """Return the share of pixels of images (M, D) that are not 0."""
    return int(_indptr(images)[-1]) / max(images.size, 1)


def compress(images: np.ndarray) -> CSR:
    """Compress images (M, D)."""
    indptr = _indptr(images)
    csr = CSR(indptr, np.empty(indptr[-1], np.int32), np.empty(indptr[-1], images.dtype))
    _fill(images, csr)
    return csr


def uncompressed(dtype: np.dtype) -> CSR:
    """Return the empty arrays that stand for images on the dense path."""
    return CSR(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, dtype))


def _indptr(images: np.ndarray) -> np.ndarray:
    indptr = np.zeros(len(images) + 1, np.int64)
    _count(images, indptr)
    return indptr


@kernel
def _count(images, indptr):
    """Fill indptr (M + 1,), zeros before, for images (M, D)."""
    for m in range(len(images)):
        for j in range(images.shape[1]):
            indptr[m + 1] += images[m, j] != 0
    offsets_from_counts(indptr, 0)


@kernel
def _fill(images, csr):
    """Fill csr.indices and csr.data from images (M, D)."""
    t = 0
    for m in range(len(images)):
        for j in range(images.shape[1]):
            if images[m, j] != 0:
                csr.indices[t] = j
                csr.data[t] = images[m, j]
                t += 1


@subroutine
def offsets_from_counts(indptr, begin):
    """Begin a counting sort: turn counts, item j's in indptr[j + 1], into the items' offsets, from `begin` on."""
    indptr[0] = begin
    for j in range(1, len(indptr)):
        indptr[j] += indptr[j - 1]


@subroutine
def rewind_offsets(indptr, begin):
    """End a counting sort: each offset has moved on to the next item's while entries were written there."""
    for j in range(len(indptr) - 1, 0, -1):
        indptr[j] = indptr[j - 1]
    indptr[0] = begin
