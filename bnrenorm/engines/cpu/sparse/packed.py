"""Sparse images packed by fours of similar ones: a row of weights, once loaded, serves all four.

For whole-set passes, whose results do not depend on image order.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen import blas
from bnrenorm.engines.cpu.codegen.alignment import aligned
from bnrenorm.engines.cpu.codegen.arrays import matrix, vector
from bnrenorm.engines.cpu.codegen.decorators import kernel, subroutine
from bnrenorm.engines.cpu.codegen.row_sums import four_sums
from bnrenorm.engines.cpu.sparse.csr import SPARSE_BELOW, density

_SAMPLE = 1000  # images from which the order is learned
_BITS = 12  # of the code that images are sorted by, at most
_BLOCK = 128  # images that stay together
_GOLDEN = (5**0.5 - 1) / 2  # the fractional parts of its multiples spread evenly
PANEL = 80
"""Columns that are worked on together: 250 kB of MNIST's weights, or 40 kB of a block's gradients, stay in cache."""


class PackedCSR4(NamedTuple):
    """M images in packed order; the pixels lit in any image of group q are at indptr[q] to indptr[q + 1] - 1.

    On the dense path the images keep their order, and the other arrays are empty.
    """

    order: np.ndarray  # (M,) int64: image at each position
    indptr: np.ndarray  # (ceil(M / 4) + 1,) int64
    indices: np.ndarray  # (pixels,) int32: positions in the image
    data: np.ndarray  # (pixels, 4): values; 0 beyond the last image


def pack(images: np.ndarray) -> PackedCSR4:
    """Pack images (M, D), if they are sparse enough for that to be faster."""
    if density(images) > SPARSE_BELOW:
        empty = np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 4), images.dtype)
        return PackedCSR4(np.arange(len(images)), *empty)
    order = similar_order(images)
    indptr = np.zeros(-(-len(order) // 4) + 1, np.int64)
    _count(images, order, indptr)
    packed = PackedCSR4(order, indptr, np.empty(indptr[-1], np.int32), np.empty((indptr[-1], 4), images.dtype))
    _fill(images, packed)
    return packed


def similar_order(images: np.ndarray) -> np.ndarray:
    """Return an order (M,) of images (M, D) in which similar ones are neighbours.

    Images are sorted by a binary code: the side of the median they are on along each of the first principal components.
    The order is then cut into blocks, which are shuffled, so that every part of it has its share of full images.
    """
    sample = images[np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).astype(int)]
    bits = min(_BITS, *sample.shape, max(1, len(images).bit_length() - 3))
    centred = sample - sample.mean(axis=0)
    components = np.random.default_rng(0).standard_normal((images.shape[1], bits)).astype(images.dtype)
    for _ in range(4):  # subspace iteration
        components = np.linalg.qr(centred.T @ (centred @ components))[0]
    code = images @ components > np.median(sample @ components, axis=0)
    order = np.argsort(code @ (1 << np.arange(bits)), kind="stable")
    block = np.arange(len(order)) // _BLOCK
    return order[np.argsort(block * _GOLDEN % 1, kind="stable")]


@kernel
def _count(images, order, indptr):
    """Set indptr (ceil(M / 4) + 1,) for images (M, D) in this order (M,)."""
    for q in range(len(indptr) - 1):
        m = _members(order, q)
        count = 0
        for j in range(images.shape[1]):
            count += (images[m[0], j] != 0) | (images[m[1], j] != 0) | (images[m[2], j] != 0) | (images[m[3], j] != 0)
        indptr[q + 1] = indptr[q] + count


@kernel
def _fill(images, packed):
    """Set packed.indices and packed.data from images (M, D)."""
    t = 0
    for q in range(len(packed.indptr) - 1):
        m, members = _members(packed.order, q), min(4, len(packed.order) - 4 * q)
        for j in range(images.shape[1]):
            lit = False
            for g in range(members):
                lit |= images[m[g], j] != 0
            if lit:
                packed.indices[t] = j
                for g in range(4):
                    packed.data[t, g] = images[m[g], j] if g < members else 0
                t += 1


@subroutine
def _members(order, q):
    """Return the four images of group q, the last one repeated if there are fewer."""
    last = len(order) - 1
    return (order[4 * q], order[min(4 * q + 1, last)], order[min(4 * q + 2, last)], order[min(4 * q + 3, last)])


def panel_workspace(depth: int, width: int, dtype: Any) -> np.ndarray:
    """Allocate the scratch that `packed_linear` needs for weights (depth, width)."""
    return aligned(4 + (depth if width > PANEL else 0), PANEL, dtype)


@subroutine
def packed_linear(images, packed, lo, w, b, scratch, y):
    """Set y (n, K) = x w + b for n images at the packed positions from `lo`, a multiple of 4: w (D, pitch), b (K,).

    images (M, D), from which `packed` was made, in their own order; scratch: `panel_workspace`.
    """
    n, width = y.shape
    if len(packed.indptr) == 1:
        blas.forward_transposed(images[lo : lo + n], w, y)
        for i in range(n):
            for k in range(width):
                y[i, k] += b[k]
        return
    depth, pitch = w.shape
    sums = matrix(scratch, 0, 4, PANEL)
    panel = w if width <= PANEL else matrix(scratch, 4 * PANEL, depth, PANEL)
    for begin in range(0, width, PANEL):
        columns = min(PANEL, width - begin)
        if width > PANEL:
            for j in range(depth):
                to, row = vector(panel, j * PANEL, columns), vector(w, j * pitch + begin, columns)
                for k in range(columns):
                    to[k] = row[k]
        bias = vector(b, begin, columns)
        for i in range(0, n, 4):
            q = (lo + i) // 4
            four_sums(packed.indptr[q], packed.indptr[q + 1], packed.data, packed.indices, panel, sums, columns)
            for g in range(min(4, n - i)):
                total, out = vector(sums, g * PANEL, columns), vector(y, (i + g) * width + begin, columns)
                for k in range(columns):
                    out[k] = total[k] + bias[k]
