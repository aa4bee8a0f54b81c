"""Images without their zeros, four at a time and alike: a row of weights that is loaded serves all four.

For passes over a whole set, to whose results the images' order is nothing.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.fused import blas
from bnrenorm.fused.compiled import inlined, kernel
from bnrenorm.fused.pixels import FEW, density
from bnrenorm.fused.rows import four_sums
from bnrenorm.fused.types import table
from bnrenorm.fused.views import matrix, vector

_SAMPLE = 1000  # images from which it is learned how images differ
_BITS = 12  # questions that are asked of each at most
_BLOCK = 128  # images that stay together
_GOLDEN = (5**0.5 - 1) / 2  # whose multiples, without their whole parts, spread evenly
PANEL = 80
"""Columns that are worked on together: 250 kB of the digits' weights, 40 kB of a block's gradients, stay in cache."""


class Quads(NamedTuple):
    """M images in an order of their own; the pixels that four of them have stand from start[q] to start[q + 1].

    Where images are taken as they are the order is theirs, and the rest is empty.
    """

    order: np.ndarray  # (M,) int64: which image stands where
    start: np.ndarray  # (M / 4 + 1,) int64
    column: np.ndarray  # (pixels,) int32: which of the D is not 0 in all four
    value: np.ndarray  # (pixels, 4); an image that there is not is 0


def arrange(images: np.ndarray) -> Quads:
    """Put images (M, D) into an order in which neighbours are alike, and leave their zeros out if that is worth it."""
    if density(images) > FEW:
        return Quads(
            np.arange(len(images)), np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 4), images.dtype)
        )
    order = alike(images)
    start = np.zeros(-(-len(order) // 4) + 1, np.int64)
    _count(images, order, start)
    found = Quads(order, start, np.empty(start[-1], np.int32), np.empty((start[-1], 4), images.dtype))
    _fill(images, found)
    return found


def alike(images: np.ndarray) -> np.ndarray:
    """Return an order (M,) in which images with the same answers to some yes-no questions stand together.

    A question is which side of the median an image is on, along one of the first principal components. The order is
    cut into blocks, and these are mixed: each part of it has its share of images with many pixels.
    """
    sample = images[np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).astype(int)]
    bits = min(_BITS, *sample.shape, max(1, len(images).bit_length() - 3))
    centred = sample - sample.mean(axis=0)
    components = np.random.default_rng(0).standard_normal((images.shape[1], bits)).astype(images.dtype)
    for _ in range(4):  # of subspace iteration
        components = np.linalg.qr(centred.T @ (centred @ components))[0]
    answers = images @ components > np.median(sample @ components, axis=0)
    order = np.argsort(answers @ (1 << np.arange(bits)), kind="stable")
    block = np.arange(len(order)) // _BLOCK
    return order[np.argsort(block * _GOLDEN % 1, kind="stable")]


@kernel
def _count(images, order, start):
    """Set where the pixels of every four begin, and end."""
    for q in range(len(start) - 1):
        m = _members(order, q)
        count = 0
        for j in range(images.shape[1]):
            count += (images[m[0], j] != 0) | (images[m[1], j] != 0) | (images[m[2], j] != 0) | (images[m[3], j] != 0)
        start[q + 1] = start[q] + count


@kernel
def _fill(images, found):
    at = 0
    for q in range(len(found.start) - 1):
        m, there = _members(found.order, q), min(4, len(found.order) - 4 * q)
        for j in range(images.shape[1]):
            any_lit = False
            for g in range(there):
                any_lit |= images[m[g], j] != 0
            if any_lit:
                found.column[at] = j
                for g in range(4):
                    found.value[at, g] = images[m[g], j] if g < there else 0
                at += 1


@inlined
def _members(order, q):
    """Name the four images, the last one again where there are not so many."""
    last = len(order) - 1
    return (order[4 * q], order[min(4 * q + 1, last)], order[min(4 * q + 2, last)], order[min(4 * q + 3, last)])


def panel_for(depth: int, width: int, dtype: Any) -> np.ndarray:
    """Make the room for `linear_from`."""
    return table(4 + (depth if width > PANEL else 0), PANEL, dtype)


@inlined
def linear_from(images, quads, lo, w, b, room, y):
    """y = x w + b, of the images at the places from `lo`, a multiple of 4: w (D, pitch), b (K,), y (n, K)."""
    n, width = y.shape
    if len(quads.start) == 1:
        blas.by_pixel(images[lo : lo + n], w, y)
        for i in range(n):
            for k in range(width):
                y[i, k] += b[k]
        return
    depth, pitch = w.shape
    sums = matrix(room, 0, 4, PANEL)
    panel = w if width <= PANEL else matrix(room, 4 * PANEL, depth, PANEL)
    for first in range(0, width, PANEL):
        columns = min(PANEL, width - first)
        if width > PANEL:
            for j in range(depth):
                to, row = vector(panel, j * PANEL, columns), vector(w, j * pitch + first, columns)
                for k in range(columns):
                    to[k] = row[k]
        bias = vector(b, first, columns)
        for i in range(0, n, 4):
            q = (lo + i) // 4
            four_sums(quads.start[q], quads.start[q + 1], quads.value, quads.column, panel, sums, columns)
            for g in range(min(4, n - i)):
                total, out = vector(sums, g * PANEL, columns), vector(y, (i + g) * width + first, columns)
                for k in range(columns):
                    out[k] = total[k] + bias[k]
