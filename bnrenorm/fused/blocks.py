"""The passes of a step over a large batch of one replica, each for a range of row blocks that fit a core's cache.

A hidden layer keeps one array h (N, D): what its normalisation was given. Normalised activations are never written:
`_enter` makes a block of them from h when the next product wants them. Every pass reads and writes rows of its own
blocks only, and sums are kept per block or per thread, so that threads share nothing.
"""

import numpy as np

from bnrenorm.fused import blas
from bnrenorm.fused.compiled import inlined, kernel
from bnrenorm.fused.types import copy, zero

ROWS = 1024
"""Rows of a block."""


@inlined
def _enter(h, norm, relu, y):
    """y = (h - mean) scale + shift, where norm (3, D) has these; through ReLU where the normalisation comes first."""
    for i in range(h.shape[0]):
        for k in range(h.shape[1]):
            v = (h[i, k] - norm[0, k]) * norm[1, k] + norm[2, k]
            y[i, k] = 0 if relu and v < 0 else v


@kernel
def hidden(x, plain, norm, relu_in, w, b, relu_out, h, moments, first, last):
    """Fill blocks of h with x w^T + b, through ReLU if `relu_out`, and moments (blocks, 2, D) with mean and M2.

    x (N, E) are images (`plain`) or the layer below's h, which `norm` and `relu_in` make its output.
    """
    rows, width = x.shape[0], h.shape[1]
    room = np.empty((0 if plain else ROWS, x.shape[1]), x.dtype)
    total = np.empty(width, np.float64)
    for q in range(first, last):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        z = h[lo:hi]
        if plain:
            blas.outputs(x[lo:hi], w, z, width)
        else:
            _enter(x[lo:hi], norm, relu_in, room[: hi - lo])
            blas.outputs(room[: hi - lo], w, z, width)
        mean, m2 = moments[q, 0], moments[q, 1]
        zero(total)
        for i in range(hi - lo):
            for k in range(width):
                v = z[i, k] + b[k]
                if relu_out and v < 0:
                    v = x.dtype.type(0)
                z[i, k] = v
                total[k] += v
        for k in range(width):
            mean[k] = total[k] / (hi - lo)
            m2[k] = 0
        for i in range(hi - lo):
            for k in range(width):
                c = z[i, k] - mean[k]
                m2[k] += c * c


@kernel
def output(h, norm, relu_in, w, b, labels, g, gw, gb, sums, logits, first, last):
    """Fill blocks of g (N, C) with the gradient of the mean loss, and add the blocks' share to gw, gb and sums.

    gw (C, D) is against the block as the product saw it. sums (2,): total loss, count of right answers. The first rows
    of the logits are copied into `logits`, as many as it has.
    """
    rows, classes = g.shape
    room = np.empty((ROWS, h.shape[1]), h.dtype)
    for q in range(first, last):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        y, z = room[: hi - lo], g[lo:hi]
        _enter(h[lo:hi], norm, relu_in, y)
        blas.outputs(y, w, z, classes)
        for i in range(hi - lo):
            top, best = z[i, 0] + b[0], 0
            for c in range(classes):
                z[i, c] += b[c]
                if lo + i < len(logits):
                    logits[lo + i, c] = z[i, c]
                if z[i, c] > top:
                    top, best = z[i, c], c
            total = h.dtype.type(0)
            target = z[i, labels[lo + i]] - top
            for c in range(classes):
                z[i, c] = np.exp(z[i, c] - top)
                total += z[i, c]
            sums[0] += np.log(total) - target
            sums[1] += best == labels[lo + i]
            for c in range(classes):
                z[i, c] /= total * rows
            z[i, labels[lo + i]] -= h.dtype.type(1) / rows
            for c in range(classes):
                gb[c] += z[i, c]
        blas.weights(z, y, gw, 1)


@inlined
def _masked(g_next, w_next, h, norm, relu_in, gy):
    """gy = g_next w_next, the gradient of the layer's output; through the ReLU where the normalisation comes first."""
    blas.inputs(g_next, w_next, gy)
    if relu_in:
        for i in range(h.shape[0]):
            for k in range(h.shape[1]):
                if (h[i, k] - norm[0, k]) * norm[1, k] + norm[2, k] <= 0:
                    gy[i, k] = 0


@kernel
def sums_back(g_next, w_next, h, norm, relu_in, along, total, first, last):
    """Add the blocks' sums of gy (h - mean) and of gy to along and total (D,), both float64."""
    rows, width = h.shape
    room = np.empty((ROWS, width), h.dtype)
    for q in range(first, last):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gy = room[: hi - lo]
        _masked(g_next[lo:hi], w_next, h[lo:hi], norm, relu_in, gy)
        for i in range(hi - lo):
            for k in range(width):
                along[k] += gy[i, k] * (h[lo + i, k] - norm[0, k])
                total[k] += gy[i, k]


@kernel
def back(g_next, w_next, h, norm, relu_in, factors, below, plain, norm_below, g, gw, gb, first, last):
    """Go back through a hidden layer: add the blocks' share to gw (D, E) and gb (D,); fill blocks of g (N, D).

    factors (3, D): gz = (gy + (h - mean) factors[0] + factors[1]) factors[2] is the gradient through the normalisation.
    `below` is what the layer was given: images (`plain`), or the h of the layer below, with its `norm_below`. g has no
    rows where no layer below wants it.
    """
    rows, width = h.shape
    room = np.empty((ROWS, width), h.dtype)
    under = np.empty((0 if plain else ROWS, below.shape[1]), h.dtype)
    for q in range(first, last):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gz = room[: hi - lo]
        _masked(g_next[lo:hi], w_next, h[lo:hi], norm, relu_in, gz)
        for i in range(hi - lo):
            for k in range(width):
                v = h[lo + i, k]
                gv = (gz[i, k] + (v - norm[0, k]) * factors[0, k] + factors[1, k]) * factors[2, k]
                if not relu_in and v <= 0:
                    gv = h.dtype.type(0)
                gz[i, k] = gv
        for i in range(hi - lo):
            for k in range(width):
                gb[k] += gz[i, k]
        if len(g):
            copy(g[lo:hi], gz)
        if plain:
            blas.weights(gz, below[lo:hi], gw, 1)
        else:
            _enter(below[lo:hi], norm_below, relu_in, under[: hi - lo])
            blas.weights(gz, under[: hi - lo], gw, 1)
