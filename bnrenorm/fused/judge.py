"""Loss and accuracy of one replica in inference mode, block of rows by block of rows."""

import numpy as np

from bnrenorm.fused import normal
from bnrenorm.fused.compiled import inlined, kernel
from bnrenorm.fused.denormals import flush, restore
from bnrenorm.fused.pixels import linear_from
from bnrenorm.fused.propagate import affine_room, layer, linear, loss, read_affine, relu
from bnrenorm.fused.types import BATCH, LAYER, room
from bnrenorm.fused.views import matrix, vector

ROWS = 1000
"""Rows of a block."""


@kernel
def judge(images, pixels, labels, kind, numbers, places, p, run, begin, end, sums):
    """Set sums (blocks, 2) of blocks begin to end: total loss, and count of right answers.

    images (M, D), labels (M,) int32, and pixels as from `pixels.compress` or `nothing`; p (P,) and run (Q,) as in
    `step.train`, but read only.
    """
    before = flush()
    scratch = room(places, min(ROWS, len(images)), 1, p)
    hidden = len(places.shape) - 2
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, len(images))
        n = hi - lo
        x = scratch.logits  # the first layer has its own
        for depth in range(hidden):
            width = places.shape[depth + 1]
            z, y = layer(scratch.given, depth, n, width), layer(scratch.out, depth, n, width)
            if depth == 0:
                w, b = matrix(p, places.w[0], places.shape[0], places.pitch), vector(p, places.b[0], width)
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
    gamma, beta = affine_room(scratch, depth, width)
    mean, scale = scratch.nodes[0], scratch.nodes[1]
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
