"""The batches of some steps, gathered once for all replicas that share them, without black pixels.

The replicas then read memory in the order in which it stands, however their images are scattered over the training set.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.fused.compiled import inlined, kernel
from bnrenorm.fused.pixels import Pixels
from bnrenorm.fused.rows import prefetch
from bnrenorm.fused.views import vector

_AHEAD = 4  # images that are asked for before their turn


class Batches(NamedTuple):
    """S batches of at most N images; the last axis of `column` to `of_pixel` is that of their pixels.

    Where images are taken as they are, the arrays of pixels are empty.
    """

    indices: Any  # (S, N), of which a step takes the first counts
    counts: Any  # (S,)
    labels: Any  # (S, N) int32
    image: Any  # (S, N + 1) int32: image i's pixels stand from image[s, i] to image[s, i + 1] of
    column: Any  # (S, P) int32, which pixel, and
    of_image: Any  # (S, P), its value
    pixel: Any  # (S, D + 1) int32: pixel j stands from pixel[s, j] to pixel[s, j + 1] of
    row: Any  # (S, P) int32, which image, and
    of_pixel: Any  # (S, P), its value


def gather(pixels: Pixels, labels: np.ndarray, drawn: list[np.ndarray], width: int) -> Batches:
    """Gather batches of indices `drawn` from images of so many pixels, and from labels (M,)."""
    counts = np.array([len(batch) for batch in drawn])
    steps, most = len(drawn), int(counts.max())
    indices = np.zeros((steps, most), np.int64)
    for row, batch in zip(indices, drawn, strict=True):
        row[: len(batch)] = batch
    sparse = len(pixels.start) > 1
    sizes = np.diff(pixels.start)[indices].sum(axis=1) if sparse else np.zeros(steps, int)
    shape = (steps, int(sizes.max()))
    found = Batches(
        indices, counts, labels[indices], np.empty((steps, most + 1), np.int32), np.empty(shape, np.int32),
        np.empty(shape, pixels.value.dtype), np.zeros((steps, width + 1), np.int32), np.empty(shape, np.int32),
        np.empty(shape, pixels.value.dtype),
    )  # fmt: skip
    if sparse:
        _fill(pixels, found)
    return found


@kernel
def _fill(pixels, found):
    for s in range(len(found.indices)):
        n, chosen, first, at = found.counts[s], found.indices[s], s * found.column.shape[1], 0
        image, pixel = found.image[s], found.pixel[s]
        for i in range(n):
            _ask(pixels, chosen[min(i + _AHEAD, n - 1)])
            begin = pixels.start[chosen[i]]
            size = pixels.start[chosen[i] + 1] - begin
            image[i] = at
            column, value = vector(found.column, first + at, size), vector(found.of_image, first + at, size)
            from_column, from_value = vector(pixels.column, begin, size), vector(pixels.value, begin, size)
            for t in range(size):
                column[t] = from_column[t]
            for t in range(size):
                value[t] = from_value[t]
            for t in range(size):
                pixel[np.uint32(column[t]) + np.uint32(1)] += 1
            at += size
        image[n] = at
        _sort(n, image, found.column[s], found.of_image[s], pixel, found.row[s], found.of_pixel[s])


@inlined
def _sort(n, image, column, of_image, pixel, row, of_pixel):
    """Sort a batch's pixels by which they are, given how many there are of each, from pixel[1] on."""
    for j in range(1, len(pixel)):
        pixel[j] += pixel[j - 1]
    for i in range(n):
        for t in range(image[i], image[i + 1]):
            j = np.uint32(column[t])  # unsigned, for numba counts negative indices from the end
            to = np.uint32(pixel[j])
            row[to] = i
            of_pixel[to] = of_image[t]
            pixel[j] += 1
    for j in range(len(pixel) - 1, 0, -1):  # each has moved on to where the next begins
        pixel[j] = pixel[j - 1]
    pixel[0] = 0


@inlined
def _ask(pixels, m):
    """Have an image's pixels brought to the cache."""
    for t in range(pixels.start[m], pixels.start[m + 1], 16):
        prefetch(pixels.column, t)
        prefetch(pixels.value, t)
