"""The passes of a training step over a large batch of one replica, each over a range of blocks of rows.

A block fits a core's cache. Each thread calls a pass with its own range of blocks; it writes only rows of these blocks
and sums of its own, so that threads share nothing. Normalised activations are never stored: `normalise_rows` computes a
block of them from the input of the normalisation for the next matrix product.

Arguments that several functions share; N images, D nodes of this layer, E inputs of it, K nodes of the next layer:

- h (N, D): input of the layer's normalisation; below (N, E): that of the layer below;
- norm (3, D): mean, scale and shift of the normalisation (`folded_norm`); norm_below (3, E): of the layer below;
- relu_in: whether ReLU follows the normalisation, as in the order linear-norm-activation; relu: whether ReLU precedes
  it, and h is its output;
- w (D, E), or (E, pitch) in the first layer, b (D,): weights and biases; w_next (K, D): weights of the next layer;
- g_next (N, K): gradient of the next layer's linear output;
- fours: N images packed by `sparse.packed.pack`: rows of all arrays are in packed order;
- scratch: one thread's row of `allocate_scratch`; begin, end: the range of blocks.
"""

from typing import Any

import numpy as np

from bnrenorm.engines.cpu.codegen import blas
from bnrenorm.engines.cpu.codegen.alignment import CACHE_LINE, aligned
from bnrenorm.engines.cpu.codegen.arrays import matrix, vector, zero
from bnrenorm.engines.cpu.codegen.decorators import kernel, subroutine, view
from bnrenorm.engines.cpu.codegen.row_sums import add_fours
from bnrenorm.engines.cpu.ops.loss import softmax_cross_entropy
from bnrenorm.engines.cpu.sparse.packed import PANEL, packed_linear, panel_workspace

ROWS = 128
"""Rows of a block."""

_FIRST_BLOCKS = 4  # blocks that the first layer computes together


@view
def block(x, lo, hi):
    """View x[lo:hi], for contiguous x (N, D)."""
    return matrix(x, lo * x.shape[1], hi - lo, x.shape[1])


@subroutine
def normalise_rows(h, norm, relu_in, y):
    """Set y (n, D) = (h - mean) scale + shift, followed by ReLU with `relu_in`; h (n, D) is a block."""
    for i in range(h.shape[0]):
        for k in range(h.shape[1]):
            v = (h[i, k] - norm[0, k]) * norm[1, k] + norm[2, k]
            y[i, k] = 0 if relu_in and v < 0 else v


def allocate_scratch(depth: int, widest: int, threads: int, dtype: Any) -> np.ndarray:
    """Allocate the scratch for all passes, (threads, ...): images have `depth` pixels, layers up to `widest` nodes."""
    panel = panel_workspace(depth, widest, dtype).size
    return aligned(threads, max(panel, (ROWS + 1) * -(-widest // CACHE_LINE) * CACHE_LINE), dtype)


@kernel
def forward_first(fours, w, b, relu, h, moments, scratch, begin, end):
    """Set blocks of h to images w + b, followed by ReLU with `relu`, and moments (blocks, 3, D): `relu_and_moments`."""
    rows = len(h)
    for q in range(begin, end, _FIRST_BLOCKS):
        last = min(q + _FIRST_BLOCKS, end)
        packed_linear(fours, q * ROWS, w, b, scratch, block(h, q * ROWS, min(last * ROWS, rows)))
        for k in range(q, last):
            relu_and_moments(block(h, k * ROWS, min((k + 1) * ROWS, rows)), relu, moments[k])


@kernel
def forward_hidden(below, norm, relu_in, w, b, relu, h, moments, scratch, begin, end):
    """Set blocks of h to x w^T + b, followed by ReLU with `relu`, and moments (blocks, 3, D): `relu_and_moments`.

    x is the output of the layer below: `below`, normalised by norm (3, E) and `relu_in`.
    """
    rows, width = h.shape
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        z, x = block(h, lo, hi), matrix(scratch, 0, hi - lo, below.shape[1])
        normalise_rows(block(below, lo, hi), norm, relu_in, x)
        blas.forward(x, w, z, width)
        _add_bias(z, b)
        relu_and_moments(z, relu, moments[q])


@subroutine
def _add_bias(z, b):
    """Add b (D,) to each row of z (n, D)."""
    for i in range(z.shape[0]):
        for k in range(len(b)):
            z[i, k] += b[k]


@subroutine
def relu_and_moments(z, relu, moments):
    """Apply ReLU to z (n, D) in place if `relu`; set moments (3, D): mean, M2 (sum of squared deviations) and scratch.

    In a single pass, with deviations from the first row, which lies within sqrt(n) standard deviations of the mean. In
    a block of 128 rows that costs M2 at worst two of float32's seven digits, and none if the first row is typical.
    """
    n, width = z.shape
    mean, m2, origin = moments[0], moments[1], moments[2]
    for k in range(width):
        v = z[0, k]
        origin[k] = 0 if relu and v < 0 else v
        mean[k] = m2[k] = 0
    for i in range(n):
        for k in range(width):
            v = z[i, k]
            if relu and v < 0:
                v = z.dtype.type(0)
            z[i, k] = v
            c = v - origin[k]
            mean[k] += c
            m2[k] += c * c
    for k in range(width):
        distance = mean[k] / z.dtype.type(n)
        m2[k] = max(m2[k] - mean[k] * distance, z.dtype.type(0))
        mean[k] = origin[k] + distance


@kernel
def output(h, norm, relu_in, w, b, labels, order, g, gw, gb, sums, logits, scratch, begin, end):
    """Run the output layer: set blocks of g (N, C) to the gradient of the mean loss; add to gw, gb and sums.

    w (C, D), b (C,): the output layer's weights and biases, into which the normalisation may be folded; gw (C, D), gb
    (C,): their gradients; gw without rows: compute no gradients. labels (N,) int32 and order (N,), the images' numbers,
    in packed order. sums (2,): total loss and count of right answers. logits (L, C) is set to those of images 0 to
    L - 1.
    """
    rows, classes = g.shape
    learning = len(gw) > 0
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        y, z = matrix(scratch, 0, hi - lo, h.shape[1]), block(g, lo, hi)
        normalise_rows(block(h, lo, hi), norm, relu_in, y)
        blas.forward(y, w, z, classes)
        _add_bias(z, b)
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


@subroutine
def _backward_to_norm(g_next, w_next, h, norm, relu_in, gy):
    """Set gy (n, >= D) to the gradient of a block's normalised activations: g_next w_next, masked with `relu_in`."""
    blas.backward_input(g_next, w_next, gy)
    if relu_in:
        for i in range(h.shape[0]):
            for k in range(h.shape[1]):
                if (h[i, k] - norm[0, k]) * norm[1, k] + norm[2, k] <= 0:
                    gy[i, k] = 0


@kernel
def backward_sums(g_next, w_next, h, norm, relu_in, sum_dy_xmu, sum_dy, scratch, begin, end):
    """Add the blocks' sums of gy (h - mean) to sum_dy_xmu and those of gy to sum_dy, (D,) float64 each."""
    rows, width = h.shape
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gy = matrix(scratch, 0, hi - lo, width)
        _backward_to_norm(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, gy)
        for i in range(hi - lo):
            for k in range(width):
                sum_dy_xmu[k] += gy[i, k] * (h[lo + i, k] - norm[0, k])
                sum_dy[k] += gy[i, k]


@kernel
def backward_hidden(g_next, w_next, h, norm, relu_in, factors, below, norm_below, g, gw, gb, scratch, begin, end):
    """Run a hidden layer backward: set blocks of g (N, D), the gradient of its linear output; add to gw and gb.

    gw (D, E), gb (D,): gradients of its weights and biases; factors (3, D): see `grad_to_linear`.
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
def backward_first(g_next, w_next, h, norm, relu_in, factors, pixels, gw, gb, scratch, begin, end):
    """Run the first layer backward: add to gw (E, pitch) and gb (D,), the gradients of its weights and biases.

    factors (3, D): see `grad_to_linear`; pixels: those of each block.
    """
    rows, width = h.shape
    pitch = gw.shape[1]
    total = vector(scratch, ROWS * pitch, width)
    for q in range(begin, end):
        lo, hi = q * ROWS, min((q + 1) * ROWS, rows)
        gz = matrix(scratch, 0, hi - lo, pitch)
        grad_to_linear(block(g_next, lo, hi), w_next, block(h, lo, hi), norm, relu_in, factors, gz, total, gb)
        for k in range(0, width, PANEL):
            panel, columns = matrix(gz, k, hi - lo, pitch), min(PANEL, width - k)
            for group in range(pixels.batches[q], pixels.batches[q + 1]):
                j = pixels.pixels[group]
                add_fours(
                    pixels.indptr[group], pixels.indptr[group + 1], pixels.data, pixels.indices, panel,
                    gw, j[0] * pitch + k, j[1] * pitch + k, j[2] * pitch + k, j[3] * pitch + k, columns,
                )  # fmt: skip


@subroutine
def grad_to_linear(g_next, w_next, h, norm, relu_in, factors, gz, total, gb):
    """Set gz (n, >= D), the gradient of the linear layer's output in a block; add its sums over rows to gb (D,).

    factors (3, D), from `FoldedNorm.factors`: the gradient of the normalisation's input is
    (gy + (h - mean) factors[0] + factors[1]) factors[2]. total (D,) is scratch.
    """
    n, width = h.shape
    _backward_to_norm(g_next, w_next, h, norm, relu_in, gz)
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
