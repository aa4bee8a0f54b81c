"""The first layer of small batches: its weights w stand by pixel, (D, pitch), and black pixels are left alone.

A weight whose pixel is black in the whole batch has the gradient 0. Under SGD nothing happens to it, and under momentum
it coasts: `catch_up` does all its steps, one by one, when its pixel turns up again, so that no number depends on when
it is done.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.fused import blas, update
from bnrenorm.fused.batches import Batches
from bnrenorm.fused.compiled import inlined
from bnrenorm.fused.rows import add_rows, coast, momentum_row
from bnrenorm.fused.types import copy, table
from bnrenorm.fused.views import vector


class First(NamedTuple):
    """Room for a replica's first layer."""

    x: Any  # (N, D) images, where they are taken as they are
    taken: Any  # (D,): the steps that a pixel's weights have taken
    gy: Any  # (N, pitch)
    value: Any  # (P,): what is left of the images' pixels where some are dropped


def first(batches: Batches, depth: int, pitch: int, dropping: bool, dtype: np.dtype) -> First:
    """Make the room."""
    n, pixels = batches.indices.shape[1], batches.column.shape[1]
    x = np.empty((0 if pixels else n, depth), dtype)
    value = np.empty(pixels if dropping else 0, dtype)
    return First(x, np.zeros(depth, np.int64), table(n, pitch, dtype), value)


@inlined
def forward(batches, s, images, room, w, b, mask, y):
    """y = x w + b, of the images of step s: b (K,), y (n, K); mask as in `propagate.forward`."""
    n, width = y.shape
    dense = len(room.x) > 0
    if dense:
        for i in range(n):
            picked = images[batches.indices[s, i]]
            for j in range(len(picked)):
                room.x[i, j] = picked[j] * mask[j] if len(mask) else picked[j]
        blas.by_pixel(room.x[:n], w, y)
    start, at, pixels = batches.image[s], s * batches.column.shape[1], batches.column.shape[1]
    column, value = vector(batches.column, at, pixels), vector(batches.of_image, at, pixels)
    if not dense and len(mask):
        for t in range(start[0], start[n]):
            room.value[t] = value[t] * mask[column[t]]
        value = room.value
    for i in range(n):
        for k in range(width):
            y[i, k] = y[i, k] + b[k] if dense else b[k]
        if not dense:
            add_rows(np.int64(start[i]), np.int64(start[i + 1]), value, column, w, y, i * width, width)


@inlined
def catch_up(batches, s, room, momentum, w, velocity, width, mask):
    """Have the weights of step s's pixels, or after the last step all, take the steps in which they were black."""
    for j in range(len(room.taken)):
        late = s - room.taken[j]
        if late == 0 or (s < len(batches.pixel) and _is_black(batches, s, j, mask)):
            continue
        room.taken[j] = s
        if _moving(velocity, j):
            coast(late, velocity, w, j * w.shape[1], width, momentum)


@inlined
def _is_black(batches, s, j, mask):
    """Tell whether pixel j is black in all images of step s, or dropped."""
    return batches.pixel[s, j] == batches.pixel[s, j + 1] or (len(mask) > 0 and mask[j] == 0)


@inlined
def _moving(velocity, j):
    moving = 0
    for k in range(velocity.shape[1]):
        moving += velocity[j, k] != 0
    return moving > 0  # a pixel's that was never anything but black has not moved


@inlined
def descend(batches, s, gy, lr, momentum, room, kind, w, velocity, mask):
    """Take step s of SGD, with or without momentum, given gy (n, K)."""
    width, pitch, at = gy.shape[1], w.shape[1], s * batches.row.shape[1]
    values, rows = vector(batches.of_pixel, 0, batches.of_pixel.size), vector(batches.row, 0, batches.row.size)
    for i in range(gy.shape[0]):
        for k in range(width):
            room.gy[i, k] = -lr * gy[i, k]
    for j in range(len(room.taken)):
        begin, end = at + batches.pixel[s, j], at + batches.pixel[s, j + 1]
        if _is_black(batches, s, j, mask):
            continue
        room.taken[j] += 1
        if kind.optimizer == update.MOMENTUM:
            momentum_row(begin, end, values, rows, room.gy, velocity, w, j * pitch, width, momentum)
        else:
            add_rows(begin, end, values, rows, room.gy, w, j * pitch, width)


@inlined
def gradient(batches, s, gy, room, mask, g):
    """g (D, pitch) = x^T gy over the images of step s, given gy (n, K)."""
    n, width = gy.shape
    if len(room.x):
        blas.weights_by_pixel(gy, room.x[:n], g, width, 0)
        return
    copy(room.gy, gy)
    at, pitch = s * batches.row.shape[1], g.shape[1]
    values, rows = vector(batches.of_pixel, 0, batches.of_pixel.size), vector(batches.row, 0, batches.row.size)
    for j in range(len(g)):
        for k in range(pitch):
            g[j, k] = 0
        begin, end = at + batches.pixel[s, j], at + batches.pixel[s, j + 1]
        if _is_black(batches, s, j, mask):
            continue
        add_rows(begin, end, values, rows, room.gy, g, j * pitch, width)
