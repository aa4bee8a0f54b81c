"""Packed images in compressed sparse columns, block by block of images: for the first layer's weight gradient."""

from typing import NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.decorators import kernel
from bnrenorm.engines.cpu.sparse.csr import offsets_from_counts, rewind_offsets
from bnrenorm.engines.cpu.sparse.packed import PackedCSR4


class CSCBlocks(NamedTuple):
    """Blocks of images in their packed order: pixel j of block b is at indptr[b, j] to indptr[b, j + 1] - 1.

    No blocks for images on the dense path.
    """

    indptr: np.ndarray  # (blocks, D + 1) int64
    rows: np.ndarray  # (pixels,) int32: image within the block, ascending for each pixel
    data: np.ndarray  # (pixels,): values


def csc_blocks(packed: PackedCSR4, width: int, rows: int) -> CSCBlocks:
    """Compress images of `width` pixels in blocks of `rows`, a multiple of 4."""
    blocks = -(-len(packed.order) // rows) if len(packed.indptr) > 1 else 0
    count = np.count_nonzero(packed.data)
    csc = CSCBlocks(
        np.zeros((blocks, width + 1), np.int64), np.empty(count, np.int32), np.empty(count, packed.data.dtype)
    )
    _sort(packed, rows // 4, csc)
    return csc


@kernel
def _sort(packed, fours, csc):
    """Fill csc from packed images, `fours` groups of four images to a block: a counting sort by pixel."""
    begin = 0
    for b in range(len(csc.indptr)):
        indptr, q_begin, q_end = csc.indptr[b], b * fours, min((b + 1) * fours, len(packed.indptr) - 1)
        for t in range(packed.indptr[q_begin], packed.indptr[q_end]):
            for g in range(4):
                indptr[packed.indices[t] + 1] += packed.data[t, g] != 0
        offsets_from_counts(indptr, begin)
        end = indptr[-1]
        for q in range(q_begin, q_end):
            for t in range(packed.indptr[q], packed.indptr[q + 1]):
                for g in range(4):
                    if packed.data[t, g] != 0:
                        offset = indptr[packed.indices[t]]
                        csc.rows[offset] = 4 * (q - q_begin) + g
                        csc.data[offset] = packed.data[t, g]
                        indptr[packed.indices[t]] = offset + 1
        rewind_offsets(indptr, begin)
        begin = end
