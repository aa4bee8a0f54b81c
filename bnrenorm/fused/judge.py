"""Loss and accuracy of one replica in inference mode, block of rows by block of rows."""

import numpy as np

from bnrenorm.fused import normal
from bnrenorm.fused.compiled import inlined, kernel
from bnrenorm.fused.denormals import flush, restore
from bnrenorm.fused.pixels import linear_from
from bnrenorm.fused.propagate import linear, loss, read_affine, relu
from bnrenorm.fused.types import BATCH, LAYER, room, rows

ROWS = 1000
"""Rows of a block."""


@kernel
def judge(images, pixels, labels, kind, numbers, places, p, run, begin, end, sums):
    """Set sums (blocks, 2) of blocks begin to end: total loss, and count of right answers.

    images (M, D), labels (M,) int32, pixels the same without zeros, or nothing where the images are taken as they are; p (P,) and run (Q,) as in `step.train`, but read only.
    """
    before = flush()  # pyright: ignore[reportCallIssue] - numba gives the context
    scratch = room(places, min(ROWS, len(images)), 1, p)
    hidden = len(places.shape) - 2
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, len(images))
        n = hi - lo
        x = scratch.logits  # the first layer has its own
        for depth in range(hidden):
            z = rows(scratch.given[depth], n, places.shape[depth + 1])
            y = rows(scratch.out[depth], n, places.shape[depth + 1])
            if depth == 0:
                size, b_at = places.shape[0] * places.pitch, places.b[0]
                w, b = p[:size].reshape(places.shape[0], places.pitch), p[b_at : b_at + places.shape[1]]
                linear_from(images, pixels, lo, w, b, z)
            else:
                linear(depth, places, p, x, z)
            if not kind.norm_first:
                relu(z)
            _normalise(z, depth, kind, numbers, places, p, run, scratch, y)
            if kind.norm_first:
                relu(y)
            x = y
        linear(hidden, places, p, x, scratch.logits[:n])
        mean_loss, right = loss(scratch.logits, labels[lo:hi], n, scratch.glogits)
        sums[q, 0], sums[q, 1] = mean_loss * n, right * n
    restore(before)


@inlined
def _normalise(z, depth, kind, numbers, places, p, run, scratch, y):
    """Normalise by the running statistics, or each row by its own."""
    n, width = z.shape
    gamma, beta = scratch.affine[depth, 0, :width], scratch.affine[depth, 1, :width]
    mean, scale = scratch.nodes[0, :width], scratch.nodes[1, :width]
    read_affine(p, places.affine[depth], kind.affine, gamma, beta)
    if kind.norm == LAYER:
        normal.layer_forward(z, numbers.eps, gamma, beta, scratch.rows[depth, 0], scratch.rows[depth, 1], y)
        return
    at = places.run[depth]
    for k in range(width):
        mean[k], scale[k] = 0, 1
        if kind.norm == BATCH:
            mean[k] = run[at + k]
            kept = run[at + width + k]
            scale[k] = gamma[k] / (kept if kind.keep_std else np.sqrt(kept + numbers.eps))
    for i in range(n):
        for k in range(width):
            y[i, k] = (z[i, k] - mean[k]) * scale[k] + beta[k]
