"""The pixels of `quads` by which of the image's they are: what the first layer's weights have their gradients from."""

from typing import NamedTuple

import numpy as np

from bnrenorm.fused.compiled import kernel
from bnrenorm.fused.quads import Quads


class Columns(NamedTuple):
    """Blocks of images in the order of their quads: pixel j of block b stands from start[b, j] to start[b, j + 1].

    There are no blocks where images are taken as they are.
    """

    start: np.ndarray  # (blocks, D + 1) int64
    row: np.ndarray  # (pixels,) int32: which of the block's images, in ascending order
    value: np.ndarray  # (pixels,)


def by_column(quads: Quads, width: int, rows: int) -> Columns:
    """Sort the pixels of every block of so many images, a multiple of 4, by which of the `width` they are."""
    blocks = -(-len(quads.order) // rows) if len(quads.start) > 1 else 0
    lit = np.count_nonzero(quads.value)
    found = Columns(np.zeros((blocks, width + 1), np.int64), np.empty(lit, np.int32), np.empty(lit, quads.value.dtype))
    _sort(quads, rows // 4, found)
    return found


@kernel
def _sort(quads, fours, found):
    begin = 0
    for b in range(len(found.start)):
        place, first, last = found.start[b], b * fours, min((b + 1) * fours, len(quads.start) - 1)
        for t in range(quads.start[first], quads.start[last]):
            for g in range(4):
                place[quads.column[t] + 1] += quads.value[t, g] != 0
        place[0] = begin
        for j in range(1, len(place)):
            place[j] += place[j - 1]
        for q in range(first, last):
            for t in range(quads.start[q], quads.start[q + 1]):
                for g in range(4):
                    if quads.value[t, g] != 0:
                        at = place[quads.column[t]]
                        found.row[at] = 4 * (q - first) + g
                        found.value[at] = quads.value[t, g]
                        place[quads.column[t]] = at + 1
        for j in range(len(place) - 1, 0, -1):  # each has moved on to where the next begins
            place[j] = place[j - 1]
        place[0], begin = begin, place[-1]
