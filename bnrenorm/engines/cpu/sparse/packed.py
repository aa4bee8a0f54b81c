"""All images of a set by fours of similar ones, which have few pixels that are lit in one of them only.

For whole-set passes, whose results do not depend on image order.
"""

import weakref
from typing import Any, NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.alignment import aligned
from bnrenorm.engines.cpu.codegen.arrays import matrix, vector, zero
from bnrenorm.engines.cpu.codegen.decorators import subroutine
from bnrenorm.engines.cpu.codegen.row_sums import add_fours
from bnrenorm.engines.cpu.sparse.fours import ImageFours, gather, images_of

_SAMPLE = 1000  # images from which the order is learned
_BITS = 12  # of the code that images are sorted by, at most
_BLOCK = 128  # images that stay together
_GOLDEN = (5**0.5 - 1) / 2  # the fractional parts of its multiples spread evenly
PANEL = 80
"""Columns that are worked on together: 250 kB of MNIST's weights, or 40 kB of a block's gradients, stay in cache."""
_WHOLE = 128  # columns up to which weights are not copied to panels, as they stay in cache as they are


_orders: dict[int, np.ndarray] = {}  # of arrays by their numbers: the groups of a run share images


class PackedImages(NamedTuple):
    """M images in packed order."""

    order: np.ndarray  # (M,) int64: image at each position
    fours: ImageFours


def pack(images: np.ndarray) -> PackedImages:
    """Pack images (M, D)."""
    order = similar_order(images)
    fours = images_of(1, len(images), images.shape[1], images.dtype)
    gather(images, order[None], np.array([len(order)]), fours, None)
    return PackedImages(order, fours)


def similar_order(images: np.ndarray) -> np.ndarray:
    """Return an order (M,) of images (M, D) in which similar ones are neighbours; kept as long as the images are.

    Images are sorted by a binary code: the side of the median they are on along each of the first principal components.
    The order is then cut into blocks, which are shuffled, so that every part of it has its share of full images.
    """
    if id(images) not in _orders:
        _orders[id(images)] = _ordered(images)
        weakref.finalize(images, _orders.pop, id(images))
    return _orders[id(images)]


def _ordered(images: np.ndarray) -> np.ndarray:
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


def panel_workspace(depth: int, width: int, dtype: Any) -> np.ndarray:
    """Allocate the scratch that `packed_linear` needs for weights (depth, width)."""
    return aligned(depth if width > _WHOLE else 0, PANEL, dtype)


@subroutine
def packed_linear(fours, lo, w, b, scratch, y):
    """Set y (n, K) = x w + b for n images at the packed positions from `lo`, a multiple of 4: w (D, pitch), b (K,).

    fours: all images; scratch: `panel_workspace`.
    """
    n, width = y.shape
    depth, pitch = w.shape
    zero(vector(y, 0, y.size))
    whole = width <= _WHOLE
    panel, step = (w, width) if whole else (matrix(scratch, 0, depth, PANEL), PANEL)
    for begin in range(0, width, step):
        columns = min(step, width - begin)
        if not whole:
            for j in range(depth):
                to, row = vector(panel, j * PANEL, columns), vector(w, j * pitch + begin, columns)
                for k in range(columns):
                    to[k] = row[k]
        for i in range(0, n, 4):
            q, last, row = (lo + i) // 4, (n - 1) * width + begin, i * width + begin
            add_fours(
                fours.indptr[q], fours.indptr[q + 1], fours.data, fours.indices, panel,
                y, row, min(row + width, last), min(row + 2 * width, last), min(row + 3 * width, last), columns,
            )  # fmt: skip
    for i in range(n):
        for k in range(width):
            y[i, k] += b[k]
