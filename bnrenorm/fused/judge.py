"""Loss and accuracy of one replica in inference mode, block of rows by block of rows."""

import numpy as np

from bnrenorm.fused import normal
from bnrenorm.fused.compiled import inlined, kernel
from bnrenorm.fused.denormals import flush, restore
from bnrenorm.fused.propagate import linear, loss, read_affine, relu
from bnrenorm.fused.quads import linear_from
from bnrenorm.fused.types import AFFINE, BATCH, FAN_IN, LAYER, RUN, WIDTH, B, W, layer, outputs, rows
from bnrenorm.fused.views import matrix, vector

ROWS = 500
"""Rows of a block."""


@kernel
def judge(images, quads, labels, kind, numbers, places, p, run, scratch, panel, begin, end, sums):
    """Set sums (blocks, 2) of blocks begin to end: total loss, and count of right answers.

    images (M, D), and as from `quads.arrange`; labels (M,) int32, in its order; p (P,) and run (Q,) as in
    `step.train`, but read only; scratch from `types.room` for ROWS images and panel from `quads.panel_for`.
    """
    before = flush()
    hidden = len(places.layers) - 1
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, len(images))
        n, classes = hi - lo, places.layers[hidden, WIDTH]
        logits, glogits = outputs(scratch, scratch.logits, n, classes), outputs(scratch, scratch.glogits, n, classes)
        for depth in range(hidden):
            fan_in, width = places.layers[depth, FAN_IN], places.layers[depth, WIDTH]
            z, y = layer(scratch, scratch.given, depth, n, width), layer(scratch, scratch.out, depth, n, width)
            if depth == 0:
                w, b = matrix(p, places.layers[0, W], fan_in, places.pitch), vector(p, places.layers[0, B], width)
                linear_from(images, quads, lo, w, b, panel, z)
            else:
                linear(depth, n, places, p, scratch, z)
            if not kind.norm_first:
                relu(z)
            _normalise(z, depth, kind, numbers, places, p, run, scratch, y)
            if kind.norm_first:
                relu(y)
        linear(hidden, n, places, p, scratch, logits)
        mean_loss, right = loss(logits, vector(labels, lo, n), n, glogits)
        sums[q, 0], sums[q, 1] = mean_loss * n, right * n
    restore(before)


@inlined
def _normalise(z, depth, kind, numbers, places, p, run, scratch, y):
    """Normalise by the running statistics, or each row by its own."""
    n, width = z.shape
    gamma, beta = vector(scratch.flat, scratch.nodes[0], width), vector(scratch.flat, scratch.nodes[1], width)
    mean, scale = vector(scratch.flat, scratch.nodes[2], width), vector(scratch.flat, scratch.nodes[3], width)
    read_affine(p, places.layers[depth, AFFINE], kind.affine, gamma, beta)
    if kind.norm == LAYER:
        centre, std = rows(scratch, depth)
        normal.layer_forward(z, numbers.eps, gamma, beta, centre, std, y)
        return
    at = places.layers[depth, RUN]
    for k in range(width):
        mean[k], scale[k] = 0, 1
        if kind.norm == BATCH:
            mean[k] = run[at + k]
            kept = run[at + width + k]
            scale[k] = gamma[k] / (kept if kind.keep_std else np.sqrt(kept + numbers.eps))
    for i in range(n):
        for k in range(width):
            y[i, k] = (z[i, k] - mean[k]) * scale[k] + beta[k]
