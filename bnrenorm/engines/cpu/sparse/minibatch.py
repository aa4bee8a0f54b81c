"""The minibatches of some steps, gathered once for all replicas that share them, without black pixels.

Replicas then read memory in order, however their images are scattered over the training set.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.arrays import vector
from bnrenorm.engines.cpu.codegen.decorators import kernel, subroutine
from bnrenorm.engines.cpu.codegen.row_sums import prefetch
from bnrenorm.engines.cpu.sparse.csr import CSR, offsets_from_counts, rewind_offsets

_AHEAD = 4  # images that are prefetched before their turn


class Minibatches(NamedTuple):
    """S batches of at largest N images, by row and by column; P is the largest number of lit pixels in a batch.

    On the dense path P is 0.
    """

    chosen: Any  # (S, N) int64: images of the training set, of which a step uses the first counts[s]
    counts: Any  # (S,)
    labels: Any  # (S, N) int32
    indptr: Any  # (S, N + 1) int32: the pixels of image i are at indptr[s, i] to indptr[s, i + 1] - 1 of
    indices: Any  # (S, P) int32, positions, and
    data: Any  # (S, P), values
    col_indptr: Any  # (S, D + 1) int32: pixel j is at col_indptr[s, j] to col_indptr[s, j + 1] - 1 of
    rows: Any  # (S, P) int32, images within the batch, and
    col_data: Any  # (S, P), values


def gather(csr: CSR, labels: np.ndarray, drawn: list[np.ndarray], width: int) -> Minibatches:
    """Gather batches of the images `drawn`, each (n,), of `width` pixels, and of labels (M,)."""
    counts = np.array([len(batch) for batch in drawn])
    steps, largest = len(drawn), int(counts.max())
    chosen = np.zeros((steps, largest), np.int64)
    for row, batch in zip(chosen, drawn, strict=True):
        row[: len(batch)] = batch
    sparse = len(csr.indptr) > 1
    sizes = np.diff(csr.indptr)[chosen].sum(axis=1) if sparse else np.zeros(steps, int)
    shape, dtype = (steps, int(sizes.max())), csr.data.dtype
    batches = Minibatches(
        chosen=chosen,
        counts=counts,
        labels=labels[chosen],
        indptr=np.empty((steps, largest + 1), np.int32),
        indices=np.empty(shape, np.int32),
        data=np.empty(shape, dtype),
        col_indptr=np.zeros((steps, width + 1), np.int32),
        rows=np.empty(shape, np.int32),
        col_data=np.empty(shape, dtype),
    )
    if sparse:
        _fill(csr, batches)
    return batches


@kernel
def _fill(csr, batches):
    """Set the arrays of pixels of `batches` from csr, all images; col_indptr is zero before."""
    for s in range(len(batches.chosen)):
        n, chosen, offset, t0 = batches.counts[s], batches.chosen[s], s * batches.indices.shape[1], 0
        indptr, col_indptr = batches.indptr[s], batches.col_indptr[s]
        for i in range(n):
            _prefetch_image(csr, chosen[min(i + _AHEAD, n - 1)])
            begin = csr.indptr[chosen[i]]
            size = csr.indptr[chosen[i] + 1] - begin
            indptr[i] = t0
            indices, data = vector(batches.indices, offset + t0, size), vector(batches.data, offset + t0, size)
            from_indices, from_data = vector(csr.indices, begin, size), vector(csr.data, begin, size)
            for t in range(size):
                indices[t] = from_indices[t]
            for t in range(size):
                data[t] = from_data[t]
            for t in range(size):
                col_indptr[np.uint32(indices[t]) + np.uint32(1)] += 1
            t0 += size
        indptr[n] = t0
        _sort(n, indptr, batches.indices[s], batches.data[s], col_indptr, batches.rows[s], batches.col_data[s])


@subroutine
def _sort(n, indptr, indices, data, col_indptr, rows, col_data):
    """Sort a batch of n images by pixel, by a counting sort: set rows and col_data (P,), from counts in col_indptr.

    indptr (N + 1,), indices, data (P,): the batch by image; col_indptr (D + 1,): counts, and afterwards offsets.
    """
    offsets_from_counts(col_indptr, 0)
    for i in range(n):
        for t in range(indptr[i], indptr[i + 1]):
            j = np.uint32(indices[t])  # unsigned, because numba counts negative indices from the end
            offset = np.uint32(col_indptr[j])
            rows[offset] = i
            col_data[offset] = data[t]
            col_indptr[j] += 1
    rewind_offsets(col_indptr, 0)


@subroutine
def _prefetch_image(csr, m):
    """Bring the pixels of image m to the cache."""
    for t in range(csr.indptr[m], csr.indptr[m + 1], 16):
        prefetch(csr.indices, t)
        prefetch(csr.data, t)
