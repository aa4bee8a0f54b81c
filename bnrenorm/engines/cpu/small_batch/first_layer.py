"""The first layer of small batches: its weights are stored input by input, and black pixels are skipped.

The gradient of a weight is 0 if its pixel is black in the whole batch. SGD leaves such a weight alone. Under momentum
it coasts: `catch_up` takes the missed steps, one by one, when the pixel is lit again, so that the result does not
depend on when that happens.

Arguments that several functions share; n images in the batch, D pixels, K nodes:

- batches: `sparse.minibatch`, S steps; s: the step within them; images (M, D): the training set;
- scratch: `FirstLayer`; mask (D + ...): as in `network`, of which the first D values count, or empty;
- w, velocity (D, pitch): weights and their velocities, of which K columns count; b (K,): biases; width: K.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.alignment import aligned
from bnrenorm.engines.cpu.codegen.arrays import copy, vector, zero
from bnrenorm.engines.cpu.codegen.decorators import subroutine
from bnrenorm.engines.cpu.codegen.row_sums import add_rows, coast, momentum_row
from bnrenorm.engines.cpu.codegen.tiles import add_products, momentum_products
from bnrenorm.engines.cpu.sparse.minibatch import Minibatches
from bnrenorm.engines.spec import MOMENTUM

_BLOCK = 16_384  # weights that stay in a core's cache while a batch of dense images passes by


class FirstLayer(NamedTuple):
    """Scratch of a replica's first layer."""

    x: Any  # (N, D) images of the batch where these are dense; empty where they are sparse
    steps_taken: Any  # (D,) int64: the steps that a pixel's weights have taken
    gy: Any  # (N, pitch)
    data: Any  # (P,) values of the batch's pixels after dropout; empty without dropout


def allocate(batches: Minibatches, depth: int, pitch: int, dropping: bool, dtype: np.dtype) -> FirstLayer:
    """Allocate the scratch for batches of images of `depth` pixels."""
    n, pixels = batches.chosen.shape[1], batches.indices.shape[1]
    x = np.empty((0 if pixels else n, depth), dtype)
    data = np.empty(pixels if dropping else 0, dtype)
    return FirstLayer(x, np.zeros(depth, np.int64), aligned(n, pitch, dtype), data)


@subroutine
def forward(batches, s, images, scratch, w, b, mask, y):
    """Set y (n, K) = x w + b, where x are the images of step s after dropout."""
    n, width = y.shape
    for i in range(n):
        for k in range(width):
            y[i, k] = b[k]
    if len(scratch.x):
        _forward_dense(batches.chosen[s], images, scratch.x, w, mask, y)
        return
    indptr, pixels = batches.indptr[s], batches.indices.shape[1]
    indices, data = vector(batches.indices, s * pixels, pixels), vector(batches.data, s * pixels, pixels)
    if len(mask):
        for t in range(indptr[0], indptr[n]):
            scratch.data[t] = data[t] * mask[indices[t]]
        data = scratch.data
    for i in range(n):
        add_rows(np.int64(indptr[i]), np.int64(indptr[i + 1]), data, indices, w, y, i * width, width)


@subroutine
def _forward_dense(chosen, images, x, w, mask, y):
    """Set x (N, D) to the chosen images after dropout and add x w to y, by as many pixels as suit the cache."""
    n, width = y.shape
    depth, pitch = w.shape
    for i in range(n):
        image = images[chosen[i]]
        for j in range(depth):
            x[i, j] = image[j] * mask[j] if len(mask) else image[j]
    block = depth if n <= 4 else max(16, _BLOCK // pitch)
    for begin in range(0, depth, block):
        end = min(begin + block, depth)
        for i in range(0, n, 4):
            add_products(begin, end, x, i * depth, 1, depth, min(4, n - i), w, 0, y, i * width, width, width)


@subroutine
def catch_up(batches, s, scratch, momentum, w, velocity, width, mask, lit_only):
    """Take the missed steps before step s of all weights; with lit_only, of those of the pixels lit at step s."""
    for j in range(len(scratch.steps_taken)):
        missed = s - scratch.steps_taken[j]
        if missed == 0 or (lit_only and _is_black(batches, s, j, mask)):
            continue
        scratch.steps_taken[j] = s
        if _is_moving(velocity, j):
            coast(missed, velocity, w, j * w.shape[1], width, momentum)


@subroutine
def _is_black(batches, s, j, mask):
    """Tell whether pixel j is black in all images of step s, or dropped."""
    return batches.col_indptr[s, j] == batches.col_indptr[s, j + 1] or (len(mask) > 0 and mask[j] == 0)


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
    width, pitch, offset = gy.shape[1], w.shape[1], s * batches.rows.shape[1]
    data, rows = vector(batches.col_data, 0, batches.col_data.size), vector(batches.rows, 0, batches.rows.size)
    n, depth = len(gy), len(scratch.steps_taken)
    for i in range(n):
        for k in range(width):
            scratch.gy[i, k] = -lr * gy[i, k]
    if len(scratch.x):
        for j in range(0, depth, 4):
            members = min(4, depth - j)
            if spec.optimizer == MOMENTUM:
                momentum_products(
                    0, n, scratch.x, j, depth, 1, members, scratch.gy, 0, velocity, w, j * pitch, pitch, width, momentum
                )
            else:
                add_products(0, n, scratch.x, j, depth, 1, members, scratch.gy, 0, w, j * pitch, pitch, width)
        return
    for j in range(depth):
        begin, end = offset + batches.col_indptr[s, j], offset + batches.col_indptr[s, j + 1]
        if _is_black(batches, s, j, mask):
            continue
        scratch.steps_taken[j] += 1
        if spec.optimizer == MOMENTUM:
            momentum_row(begin, end, data, rows, scratch.gy, velocity, w, j * pitch, width, momentum)
        else:
            add_rows(begin, end, data, rows, scratch.gy, w, j * pitch, width)


@subroutine
def gradient(batches, s, gy, scratch, mask, gw):
    """Set gw (D, pitch) = x^T gy over the images of step s; gy (n, K) is the gradient of the layer's linear output."""
    n, width = gy.shape
    depth, pitch = gw.shape
    copy(scratch.gy, gy)
    if len(scratch.x):
        zero(vector(gw, 0, gw.size))
        for j in range(0, depth, 4):
            add_products(0, n, scratch.x, j, depth, 1, min(4, depth - j), scratch.gy, 0, gw, j * pitch, pitch, width)
        return
    offset = s * batches.rows.shape[1]
    data, rows = vector(batches.col_data, 0, batches.col_data.size), vector(batches.rows, 0, batches.rows.size)
    for j in range(depth):
        for k in range(pitch):
            gw[j, k] = 0
        begin, end = offset + batches.col_indptr[s, j], offset + batches.col_indptr[s, j + 1]
        if _is_black(batches, s, j, mask):
            continue
        add_rows(begin, end, data, rows, scratch.gy, gw, j * pitch, width)
