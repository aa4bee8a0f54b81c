"""The passes of a step over a large batch of one replica, each for a range of row blocks that fit a core's cache.

A hidden layer keeps one array h (N, D): what its normalisation was given. Normalised activations are never written:
`normalise_rows` makes a block of them from h for the next product. Every pass reads and writes rows of its own
blocks only, and sums are kept per block or per thread, so that threads share nothing. `scratch` is a thread's own:
see `allocate_scratch`.
"""

from typing import Any

import numpy as np

from bnrenorm.engines.cpu.codegen import blas
from bnrenorm.engines.cpu.codegen.alignment import CACHE_LINE, aligned
from bnrenorm.engines.cpu.codegen.arrays import matrix, vector, zero
from bnrenorm.engines.cpu.codegen.decorators import inlined, kernel, view
from bnrenorm.engines.cpu.codegen.row_sums import add_rows
from bnrenorm.engines.cpu.ops.loss import softmax_cross_entropy
from bnrenorm.engines.cpu.sparse.packed import PANEL, packed_linear, panel_workspace

ROWS = 128
"""Rows of a block."""

_FIRST = 4  # blocks that the first layer takes together


@view
def block(x, lo, hi):
    """View x[lo:hi]."""
    return matrix(x, lo * x.shape[1], hi - lo, x.shape[1])


@inlined
def normalise_rows(h, norm, relu, y):
    """y = (h - mean) scale + shift, where norm (3, D) has these; through ReLU where the normalisation comes first."""
    for i in range(h.shape[0]):
        for k in range(h.shape[1]):
            v = (h[i, k] - norm[0, k]) * norm[1, k] + norm[2, k]
            y[i, k] = 0 if relu and v < 0 else v


def allocate_scratch(depth: int, widest: int, threads: int, dtype: Any) -> np.ndarray:
    """Make the scratch for all passes, (threads, ...), given how wide the images and the widest layer are."""
    panel = panel_workspace(depth, widest, dtype).size
    return aligned(threads, max(panel, (ROWS + 1) * -(-widest // CACHE_LINE) * CACHE_LINE), dtype)


@kernel
def forward_first(images, packed, w, b, relu, h, moments, scratch, begin, end):
    """Fill blocks of h with what the first layer, w (E, pitch) and b (D,), makes of images (N, E); as `hidden` does.

    packed: as from `packed.pack`; a row of h is that of the image in its place.
    """
    rows = len(h)
    for q in range(begin, end, _FIRST):
        last = min(q + _FIRST, end)
        packed_linear(images, packed, q * ROWS, w, b, scratch, block(h, q * ROWS, min(last * ROWS, rows)))
        for k in range(q, last):
            relu_and_moments(block(h, k * ROWS, min((k + 1) * ROWS, rows)), relu, moments[k])


@kernel
def forward_hidden(below, norm, relu_in, w, b, relu, h, moments, scratch, begin, end):
    """Fill blocks of h with x w^T + b, through ReLU if `relu`, and moments (blocks, 3, D) with mean and M2.

    x is what `norm` and `relu_in` make of the layer below's h, `below` (N, E).
    """
    rows, width = h.shape
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        z, x = block(h, lo, hi), matrix(scratch, 0, hi - lo, below.shape[1])
        normalise_rows(block(below, lo, hi), norm, relu_in, x)
        blas.forward(x, w, z, width)
        _add(z, b)
        relu_and_moments(z, relu, moments[q])


@inlined
def _add(z, b):
    for i in range(z.shape[0]):
        for k in range(len(b)):
            z[i, k] += b[k]


@inlined
def relu_and_moments(z, relu, moments):
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
def output(h, norm, relu_in, w, b, labels, order, g, gw, gb, sums, logits, scratch, begin, end):
    """Fill blocks of g (N, C) with the gradient of the mean loss, and add the blocks' share to gw, gb and sums.

    gw (C, D) is against the block as the product saw it; where it has no rows, no gradients are made. sums (2,): total
    loss, count of right answers. The logits of the first images are copied into `logits`, as many as it has; order (N,)
    says which image a row is of.
    """
    rows, classes = g.shape
    learning = len(gw) > 0
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        y, z = matrix(scratch, 0, hi - lo, h.shape[1]), block(g, lo, hi)
        normalise_rows(block(h, lo, hi), norm, relu_in, y)
        blas.forward(y, w, z, classes)
        _add(z, b)
        for i in range(hi - lo):
            logits_i, label = vector(z, i * classes, classes), labels[lo + i]
            if order[lo + i] < len(logits):
                for c in range(classes):
                    logits[order[lo + i], c] = logits_i[c]
            logit = logits_i[label]
            log_sum, top, best = softmax_cross_entropy(logits_i, label, rows, learning, logits_i)
            sums[0] += log_sum - (logit - top)
            sums[1] += best == label
            if learning:
                for c in range(classes):
                    gb[c] += logits_i[c]
        if learning:
            blas.backward_weight(z, y, gw, 1)


@inlined
def _masked(g_next, w_next, h, norm, relu_in, gy):
    """gy = g_next w_next, the gradient of the layer's output; through the ReLU where the normalisation comes first."""
    blas.backward_input(g_next, w_next, gy)
    if relu_in:
        for i in range(h.shape[0]):
            for k in range(h.shape[1]):
                if (h[i, k] - norm[0, k]) * norm[1, k] + norm[2, k] <= 0:
                    gy[i, k] = 0


@kernel
def backward_sums(g_next, w_next, h, norm, relu_in, sum_dy_xmu, total, scratch, begin, end):
    """Add the blocks' sums of gy (h - mean) and of gy to sum_dy_xmu and total (D,), both float64."""
    rows, width = h.shape
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gy = matrix(scratch, 0, hi - lo, width)
        _masked(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, gy)
        for i in range(hi - lo):
            for k in range(width):
                sum_dy_xmu[k] += gy[i, k] * (h[lo + i, k] - norm[0, k])
                total[k] += gy[i, k]


@kernel
def backward_hidden(g_next, w_next, h, norm, relu_in, factors, below, norm_below, g, gw, gb, scratch, begin, end):
    """Go back through a hidden layer: add the blocks' share to gw (D, E) and gb (D,); fill blocks of g (N, D).

    factors (3, D): gz = (gy + (h - mean) factors[0] + factors[1]) factors[2] is the gradient through the normalisation.
    `below` is the h of the layer below, with its `norm_below`.
    """
    rows, fan_in = len(h), below.shape[1]
    total = vector(scratch, ROWS * fan_in, h.shape[1])
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gz, x = block(g, lo, hi), matrix(scratch, 0, hi - lo, fan_in)
        grad_to_linear(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, factors, gz, total, gb)
        normalise_rows(block(below, lo, hi), norm_below, relu_in, x)
        blas.backward_weight(gz, x, gw, 1)


@kernel
def backward_first(g_next, w_next, h, norm, relu_in, factors, images, csc, gw, gb, scratch, begin, end):
    """Go back through the first layer: add the blocks' share to gw (E, pitch) and gb (D,); the rest as in `back`.

    csc: the images' pixels by block, or none where `images` (N, E) are to be taken as they are.
    """
    rows, width = h.shape
    depth, pitch = gw.shape
    total = vector(scratch, ROWS * pitch, width)
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gz = matrix(scratch, 0, hi - lo, pitch)
        grad_to_linear(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, factors, gz, total, gb)
        if len(csc.indptr):
            start = csc.indptr[q]
            for k in range(0, width, PANEL):
                panel, some = matrix(gz, k, hi - lo, pitch), min(PANEL, width - k)
                for j in range(depth):
                    if start[j] < start[j + 1]:
                        add_rows(start[j], start[j + 1], csc.data, csc.rows, panel, gw, j * pitch + k, some)
        else:
            blas.backward_weight_transposed(gz, block(images, lo, hi), gw, width, 1)


@inlined
def grad_to_linear(g_next, w_next, h, norm, relu_in, factors, gz, total, gb):
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
