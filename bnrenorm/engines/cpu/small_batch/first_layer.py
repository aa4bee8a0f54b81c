"""The first layer of small batches: its weights are stored input by input, and black pixels are skipped.

The gradient of a weight is 0 if its pixel is black in the whole batch. SGD leaves such a weight alone. Under momentum
it coasts: `catch_up` takes the missed steps, one by one, when the pixel is lit again, so that the result does not
depend on when that happens.

Arguments that several functions share; n images in the batch, D pixels, K nodes:

- batches: `sparse.minibatch`, S steps; s: the step within them;
- scratch: `FirstLayer`; mask (D + ...): as in `network`, of which the first D values count, or empty;
- w, velocity (D, pitch): weights and their velocities, of which K columns count; b (K,): biases; width: K.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.alignment import aligned
from bnrenorm.engines.cpu.codegen.arrays import copy, matrix, vector, zero
from bnrenorm.engines.cpu.codegen.decorators import subroutine
from bnrenorm.engines.cpu.codegen.row_sums import add_fours, coast, momentum_fours
from bnrenorm.engines.spec import MOMENTUM

_BLOCK = 131_072  # weights that stay in a core's cache while a batch passes by
_IMAGES = 256  # whose gradients do, while the weights pass by


class FirstLayer(NamedTuple):
    """Scratch of a replica's first layer."""

    steps_taken: Any  # (D,) int64: the steps that a pixel's weights have taken
    gy: Any  # (N, pitch)
    begins: Any  # (ceil(max(N, D) / 4),) int64: where the values of the next block of pixels, or of images, begin
    data: Any  # (P, 4): a step's values after dropout; empty without dropout


def allocate(n: int, depth: int, pitch: int, dropping: bool, dtype: np.dtype) -> FirstLayer:
    """Allocate the scratch for batches of at most n images of `depth` pixels."""
    groups = -(-n // 4)
    most = max(groups * depth, -(-depth // 4) * n) if dropping else 0
    return FirstLayer(
        np.zeros(depth, np.int64),
        aligned(n, pitch, dtype),
        np.empty(-(-max(n, depth) // 4), np.int64),
        np.empty((most, 4), dtype),
    )


@subroutine
def forward(batches, s, scratch, w, b, mask, y):
    """Set y (n, K) = x w + b, where x are the images of step s after dropout."""
    n, width = y.shape
    depth, pitch = w.shape
    groups = -(-batches.labels.shape[1] // 4)
    indptr, last = vector(batches.images.indptr, s * groups, groups + 1), (n - 1) * width
    size = indptr[groups] - indptr[0]
    indices, data = vector(batches.images.indices, indptr[0], size), matrix(batches.images.data, 4 * indptr[0], size, 4)
    if len(mask):
        for t in range(size):
            for g in range(4):
                scratch.data[t, g] = data[t, g] * mask[indices[t]]
        data = matrix(scratch.data, 0, size, 4)
    for i in range(n):
        for k in range(width):
            y[i, k] = b[k]
    for q in range(groups):
        scratch.begins[q] = indptr[q] - indptr[0]
    block = depth if n <= 4 else max(16, _BLOCK // pitch)
    for past in range(block, depth + block, block):
        for i in range(0, n, 4):
            begin, end, row = scratch.begins[i // 4], indptr[i // 4 + 1] - indptr[0], i * width
            if past < depth:
                end = _first_from(past, indices, begin, end)
            scratch.begins[i // 4] = end
            add_fours(
                begin, end, data, indices, w,
                y, row, min(row + width, last), min(row + 2 * width, last), min(row + 3 * width, last), width,
            )  # fmt: skip


@subroutine
def _first_from(pixel, indices, begin, end):
    """Return the first t from `begin` on with indices[t] >= pixel, or `end`."""
    while begin < end and indices[begin] < pixel:
        begin += 1
    return begin


@subroutine
def catch_up(batches, s, scratch, momentum, w, velocity, width, lit_only):
    """Take the missed steps before step s of all weights; with lit_only, of those of the pixels lit at step s."""
    if lit_only:
        for q in range(batches.pixels.batches[s], batches.pixels.batches[s + 1]):
            for g in range(4):
                _catch_up_pixel(batches.pixels.pixels[q, g], s, scratch, momentum, w, velocity, width)
    else:
        for j in range(len(scratch.steps_taken)):
            _catch_up_pixel(j, s, scratch, momentum, w, velocity, width)


@subroutine
def _catch_up_pixel(j, s, scratch, momentum, w, velocity, width):
    missed = s - scratch.steps_taken[j]
    scratch.steps_taken[j] = s
    if missed > 0 and _is_moving(velocity, j):
        coast(missed, velocity, w, j * w.shape[1], width, momentum)


@subroutine
def _is_moving(velocity, j):
    """Tell whether a pixel's weights have a velocity; those of a pixel that was never lit have none."""
    moving = 0
    for k in range(velocity.shape[1]):
        moving += velocity[j, k] != 0
    return moving > 0


@subroutine
def descend(batches, s, gy, lr, momentum, scratch, spec, w, velocity, mask):
    """Take step s of SGD or momentum in place, from gy (n, K), the gradient of the layer's linear output."""
    for i in range(gy.shape[0]):
        for k in range(gy.shape[1]):
            scratch.gy[i, k] = -lr * gy[i, k]
    _add_gradient(batches, s, gy.shape[1], momentum, scratch, spec.optimizer == MOMENTUM, w, velocity, mask)


@subroutine
def gradient(batches, s, gy, scratch, mask, gw):
    """Set gw (D, pitch) = x^T gy over the images of step s; gy (n, K) is the gradient of the layer's linear output."""
    copy(scratch.gy, gy)
    zero(vector(gw, 0, gw.size))
    _add_gradient(batches, s, gy.shape[1], gw.dtype.type(0), scratch, False, gw, gw, mask)


@subroutine
def _add_gradient(batches, s, width, momentum, scratch, moving, w, velocity, mask):
    """Add x^T g to w, where g is scratch.gy; if `moving`, take a step of momentum instead."""
    pixels, pitch, n = batches.pixels, w.shape[1], batches.counts[s]
    groups, last = pixels.batches[s], pixels.batches[s + 1]
    first = pixels.indptr[groups]
    size = pixels.indptr[last] - first
    indices, data = vector(pixels.indices, first, size), matrix(pixels.data, 4 * first, size, 4)
    if len(mask):
        for q in range(groups, last):
            for t in range(pixels.indptr[q] - first, pixels.indptr[q + 1] - first):
                for g in range(4):
                    scratch.data[t, g] = data[t, g] * mask[pixels.pixels[q, g]]
        data = matrix(scratch.data, 0, size, 4)
    for q in range(groups, last):
        scratch.begins[q - groups] = pixels.indptr[q] - first
    for past in range(_IMAGES, n + _IMAGES, _IMAGES):
        for q in range(groups, last):
            begin, end, four = scratch.begins[q - groups], pixels.indptr[q + 1] - first, pixels.pixels[q]
            a, b, c, d = four[0] * pitch, four[1] * pitch, four[2] * pitch, four[3] * pitch
            if past < n:
                end = _first_from(past, indices, begin, end)
                scratch.begins[q - groups] = end
            if not moving:
                add_fours(begin, end, data, indices, scratch.gy, w, a, b, c, d, width)
                continue
            if past == _IMAGES and past < n:
                for g in range(4):
                    if g == 0 or four[g] != four[g - 1]:
                        for k in range(width):
                            velocity[four[g], k] *= momentum
            if past < n:
                add_fours(begin, end, data, indices, scratch.gy, velocity, a, b, c, d, width)
            else:
                decay = momentum if n <= _IMAGES else w.dtype.type(1)
                momentum_fours(begin, end, data, indices, scratch.gy, velocity, w, a, b, c, d, width, decay)
                for g in range(4):
                    scratch.steps_taken[four[g]] = s + 1
