"""The first layer of small batches: its weights w stand by pixel, (D, pitch), and black pixels are left alone.

A weight whose pixel is black in the whole batch has the gradient 0. Under SGD nothing happens to it, and under momentum
it coasts: `catch_up` does all its steps, one by one, when its pixel turns up again, so that no number depends on when
it is done.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.fused import blas, update
from bnrenorm.fused.compiled import inlined
from bnrenorm.fused.rows import add_rows, coast, momentum_row
from bnrenorm.fused.types import table, zero


class First(NamedTuple):
    """Room for a replica's first layer."""

    x: Any  # (N, D) images, where they are taken as they are
    taken: Any  # (D,): the steps that a pixel's weights have taken
    gy: Any  # (N, pitch)


@inlined
def first(batches, depth, pitch, like):
    """Make the room."""
    n, sparse = batches.indices.shape[1], batches.column.shape[1] > 0
    return First(np.empty((0 if sparse else n, depth), like.dtype), np.zeros(depth, np.int64), table(n, pitch, like))


@inlined
def forward(batches, s, images, room, w, b, y):
    """y = x w + b, of the images of step s: b (K,), y (n, K)."""
    n, width = y.shape
    dense = len(room.x) > 0
    if dense:
        for i in range(n):
            picked = images[batches.indices[s, i]]
            for j in range(len(picked)):
                room.x[i, j] = picked[j]
        blas.by_pixel(room.x[:n], w, y)
    for i in range(n):
        for k in range(width):
            y[i, k] = y[i, k] + b[k] if dense else b[k]
        if not dense:
            t, end = batches.image[s, i], batches.image[s, i + 1]
            add_rows(end - t, batches.of_image[s, t:end], batches.column[s, t:end], w, y[i], width)


@inlined
def catch_up(batches, s, room, kind, momentum, w, velocity, width, everything):
    """Have the weights take the steps before s in which their pixels were black: those of step s, or all."""
    for j in range(len(room.taken)):
        late = s - room.taken[j]
        if late == 0 or not (everything or batches.pixel[s, j] < batches.pixel[s, j + 1]):
            continue
        room.taken[j] = s
        if kind.optimizer == update.MOMENTUM and _moving(velocity[j]):
            coast(late, velocity[j], width, momentum, w[j])


@inlined
def _moving(velocity):
    for each in velocity:
        if each != 0:
            return True
    return False  # as a pixel's that was never anything but black


@inlined
def descend(batches, s, gy, lr, momentum, room, kind, w, velocity):
    """Take step s of SGD, with or without momentum, given gy (n, K)."""
    n, width = gy.shape
    _copy(gy, -lr, room.gy)
    for j in range(len(room.taken)):
        t, end = batches.pixel[s, j], batches.pixel[s, j + 1]
        if t == end:
            continue
        room.taken[j] += 1
        value, row = batches.of_pixel[s, t:end], batches.row[s, t:end]
        if kind.optimizer == update.MOMENTUM:
            momentum_row(end - t, value, row, room.gy, velocity[j], width, momentum, w[j])
        else:
            add_rows(end - t, value, row, room.gy, w[j], width)


@inlined
def gradient(batches, s, gy, room, g):
    """g (D, pitch) = x^T gy over the images of step s, given gy (n, K)."""
    n, width = gy.shape
    if len(room.x):
        blas.weights_by_pixel(gy, room.x[:n], g, width, 0)
        return
    _copy(gy, gy.dtype.type(1), room.gy)
    for j in range(len(g)):
        t, end = batches.pixel[s, j], batches.pixel[s, j + 1]
        zero(g[j])
        add_rows(end - t, batches.of_pixel[s, t:end], batches.row[s, t:end], room.gy, g[j], width)


@inlined
def _copy(x, factor, to):
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            to[i, k] = factor * x[i, k]
