"""The passes of a step over a large batch of one replica, each for a range of row blocks that fit a core's cache.

A hidden layer keeps one array h (N, D): what its normalisation was given. Normalised activations are never written:
`_enter` makes a block of them from h when the next product wants them. Every pass reads and writes rows of its own
blocks only, and sums are kept per block or per thread, so that threads share nothing. `room`, flat, is a thread's own:
see `room_for`.
"""

from typing import Any

import numpy as np

from bnrenorm.fused import blas
from bnrenorm.fused.compiled import inlined, kernel, view
from bnrenorm.fused.quads import PANEL, linear_from, panel_for
from bnrenorm.fused.rows import add_rows
from bnrenorm.fused.types import table, zero
from bnrenorm.fused.vectors import LINE
from bnrenorm.fused.views import matrix, vector

ROWS = 128
"""Rows of a block."""

_FIRST = 4  # blocks that the first layer takes together


@view
def block(x, lo, hi):
    """View x[lo:hi]."""
    return matrix(x, lo * x.shape[1], hi - lo, x.shape[1])


@inlined
def _enter(h, norm, relu, y):
    """y = (h - mean) scale + shift, where norm (3, D) has these; through ReLU where the normalisation comes first."""
    for i in range(h.shape[0]):
        for k in range(h.shape[1]):
            v = (h[i, k] - norm[0, k]) * norm[1, k] + norm[2, k]
            y[i, k] = 0 if relu and v < 0 else v


def room_for(depth: int, widest: int, threads: int, dtype: Any) -> np.ndarray:
    """Make the room for all passes, (threads, ...), given how wide the images and the widest layer are."""
    panel = panel_for(depth, widest, dtype).size
    return table(threads, max(panel, (ROWS + 1) * -(-widest // LINE) * LINE), dtype)


@kernel
def first(images, quads, w, b, relu, h, moments, room, begin, end):
    """Fill blocks of h with what the first layer, w (E, pitch) and b (D,), makes of images (N, E); as `hidden` does.

    quads: as from `quads.arrange`; a row of h is that of the image in its place.
    """
    rows = len(h)
    for q in range(begin, end, _FIRST):
        last = min(q + _FIRST, end)
        linear_from(images, quads, q * ROWS, w, b, room, block(h, q * ROWS, min(last * ROWS, rows)))
        for k in range(q, last):
            _settle(block(h, k * ROWS, min((k + 1) * ROWS, rows)), relu, moments[k])


@kernel
def hidden(below, norm, relu_in, w, b, relu, h, moments, room, begin, end):
    """Fill blocks of h with x w^T + b, through ReLU if `relu`, and moments (blocks, 3, D) with mean and M2.

    x is what `norm` and `relu_in` make of the layer below's h, `below` (N, E).
    """
    rows, width = h.shape
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        z, x = block(h, lo, hi), matrix(room, 0, hi - lo, below.shape[1])
        _enter(block(below, lo, hi), norm, relu_in, x)
        blas.outputs(x, w, z, width)
        _add(z, b)
        _settle(z, relu, moments[q])


@inlined
def _add(z, b):
    for i in range(z.shape[0]):
        for k in range(len(b)):
            z[i, k] += b[k]


@inlined
def _settle(z, relu, moments):
    """Put z (n, D) through ReLU if `relu`, and set moments (3, D): mean, M2, the sum of squares about it, and some row.

    In one pass about that row, the first, which lies within sqrt(n) standard deviations of the mean: in a block of 128
    that costs M2 two of float32's seven digits at worst, and with any common row none.
    """
    n, width = z.shape
    mean, m2, about = moments[0], moments[1], moments[2]
    for k in range(width):
        v = z[0, k]
        about[k] = 0 if relu and v < 0 else v
        mean[k] = m2[k] = 0
    for i in range(n):
        for k in range(width):
            v = z[i, k]
            if relu and v < 0:
                v = z.dtype.type(0)
            z[i, k] = v
            c = v - about[k]
            mean[k] += c
            m2[k] += c * c
    for k in range(width):
        distance = mean[k] / z.dtype.type(n)
        m2[k] = max(m2[k] - mean[k] * distance, z.dtype.type(0))
        mean[k] = about[k] + distance


@kernel
def output(h, norm, relu_in, w, b, labels, order, g, gw, gb, sums, logits, room, begin, end):
    """Fill blocks of g (N, C) with the gradient of the mean loss, and add the blocks' share to gw, gb and sums.

    gw (C, D) is against the block as the product saw it; where it has no rows, no gradients are made. sums (2,): total
    loss, count of right answers. The logits of the first images are copied into `logits`, as many as it has; order (N,)
    says which image a row is of.
    """
    rows, classes = g.shape
    learning = len(gw) > 0
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        y, z = matrix(room, 0, hi - lo, h.shape[1]), block(g, lo, hi)
        _enter(block(h, lo, hi), norm, relu_in, y)
        blas.outputs(y, w, z, classes)
        for i in range(hi - lo):
            top, best = z[i, 0] + b[0], 0
            for c in range(classes):
                z[i, c] += b[c]
                if order[lo + i] < len(logits):
                    logits[order[lo + i], c] = z[i, c]
                if z[i, c] > top:
                    top, best = z[i, c], c
            total = h.dtype.type(0)
            target = z[i, labels[lo + i]] - top
            for c in range(classes):
                z[i, c] = np.exp(z[i, c] - top)
                total += z[i, c]
            sums[0] += np.log(total) - target
            sums[1] += best == labels[lo + i]
            if learning:
                for c in range(classes):
                    z[i, c] /= total * rows
                z[i, labels[lo + i]] -= h.dtype.type(1) / rows
                for c in range(classes):
                    gb[c] += z[i, c]
        if learning:
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
def sums_back(g_next, w_next, h, norm, relu_in, along, total, room, begin, end):
    """Add the blocks' sums of gy (h - mean) and of gy to along and total (D,), both float64."""
    rows, width = h.shape
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gy = matrix(room, 0, hi - lo, width)
        _masked(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, gy)
        for i in range(hi - lo):
            for k in range(width):
                along[k] += gy[i, k] * (h[lo + i, k] - norm[0, k])
                total[k] += gy[i, k]


@kernel
def back(g_next, w_next, h, norm, relu_in, factors, below, norm_below, g, gw, gb, room, begin, end):
    """Go back through a hidden layer: add the blocks' share to gw (D, E) and gb (D,); fill blocks of g (N, D).

    factors (3, D): gz = (gy + (h - mean) factors[0] + factors[1]) factors[2] is the gradient through the normalisation.
    `below` is the h of the layer below, with its `norm_below`.
    """
    rows, fan_in = len(h), below.shape[1]
    total = vector(room, ROWS * fan_in, h.shape[1])
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gz, x = block(g, lo, hi), matrix(room, 0, hi - lo, fan_in)
        _through(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, factors, gz, total, gb)
        _enter(block(below, lo, hi), norm_below, relu_in, x)
        blas.weights(gz, x, gw, 1)


@kernel
def back_first(g_next, w_next, h, norm, relu_in, factors, images, columns, gw, gb, room, begin, end):
    """Go back through the first layer: add the blocks' share to gw (E, pitch) and gb (D,); the rest as in `back`.

    columns: the images' pixels by block, or none where `images` (N, E) are to be taken as they are.
    """
    rows, width = h.shape
    depth, pitch = gw.shape
    total = vector(room, ROWS * pitch, width)
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gz = matrix(room, 0, hi - lo, pitch)
        _through(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, factors, gz, total, gb)
        if len(columns.start):
            start = columns.start[q]
            for k in range(0, width, PANEL):
                panel, some = matrix(gz, k, hi - lo, pitch), min(PANEL, width - k)
                for j in range(depth):
                    if start[j] < start[j + 1]:
                        add_rows(start[j], start[j + 1], columns.value, columns.row, panel, gw, j * pitch + k, some)
        else:
            blas.weights_by_pixel(gz, block(images, lo, hi), gw, width, 1)


@inlined
def _through(g_next, w_next, h, norm, relu_in, factors, gz, total, gb):
    """Set gz (n, >= D), the gradient of what the linear layer put out, and add its sums, `total`, to gb (D,)."""
    n, width = h.shape
    _masked(g_next, w_next, h, norm, relu_in, gz)
    zero(total)
    for i in range(n):
        for k in range(width):
            v = h[i, k]
            gv = (gz[i, k] + (v - norm[0, k]) * factors[0, k] + factors[1, k]) * factors[2, k]
            gz[i, k] = h.dtype.type(0) if not relu_in and v <= 0 else gv
        for k in range(width):
            total[k] += gz[i, k]
    for k in range(width):
        gb[k] += total[k]
