"""Many training steps of one replica in one call: its weights stay near its core from step to step."""

from typing import Any

import numba
import numpy as np

from bnrenorm.fused import first, update
from bnrenorm.fused.batches import Batches
from bnrenorm.fused.compiled import kernel, shared
from bnrenorm.fused.denormals import flush, restore
from bnrenorm.fused.propagate import backward, forward, loss, update_all
from bnrenorm.fused.types import (
    BATCH,
    FAN_IN,
    WIDTH,
    B,
    Kind,
    Numbers,
    Places,
    Room,
    W,
    copy,
    outputs,
    room,
    zero,
)
from bnrenorm.fused.views import matrix, vector


@kernel
def train(
    batches, images, kind, numbers, limits, masks, places, given, scratch, p, state, other_state, average, run, seen,
    kept, sums,
):  # fmt: skip
    """Take S steps of one replica, with room from `first.first` and `types.room`.

    images (M, D), of which `batches` are. At each step: limits (S, 4), r_max, d_max, learning rate, that of gamma and
    beta; masks (S, D + H + ...), which inputs and nodes are kept, or (S, 0) for all. Changed in place: p, state,
    other_state (P,), the parameters and the optimizer's states; average (P,), the moving average of the parameters,
    empty without one; run (Q,), the running statistics; seen (H, parts, 6, W), the last step's, as
    `propagate.normalise` leaves them; kept (K, classes), that step's first logits; sums (2,) float64, to which every
    step's loss and accuracy are added.
    """
    steps, layers, pitch = len(batches.indices), places.layers, places.pitch
    depth, width, at = layers[0, FAN_IN], layers[0, WIDTH], layers[0, W]
    w, b = matrix(p, at, depth, pitch), vector(p, layers[0, B], width)
    velocity = matrix(state, at, depth if len(state) else 0, pitch)
    sparse = len(given.x) == 0
    decays = numbers.l2 != 0 or numbers.l1 != 0
    lazy = sparse and kind.optimizer <= update.MOMENTUM and not decays and len(average) == 0
    coasting = lazy and kind.optimizer == update.MOMENTUM
    gw = vector(scratch.flat, scratch.gw, 0 if lazy else depth * pitch)
    zero(gw)
    before = flush()
    for s in range(steps):
        n, lr, mask = batches.counts[s], limits[s, 2], masks[s]
        parts = n // kind.micro_batch if kind.micro_batch else 1
        if coasting:
            first.catch_up(batches, s, given, numbers.a, w, velocity, width, mask)
        first.forward(batches, s, images, given, w, b, mask, matrix(scratch.flat, scratch.given, n, width))
        forward(n, parts, kind, numbers, limits[s], places, p, run, mask, scratch)
        classes = layers[-1, WIDTH]
        logits, glogits = outputs(scratch, scratch.logits, n, classes), outputs(scratch, scratch.glogits, n, classes)
        mean_loss, right = loss(logits, batches.labels[s], n, glogits)
        sums[0] += mean_loss
        sums[1] += right
        if s == steps - 1:
            copy(kept, outputs(scratch, scratch.logits, len(kept), classes))
        if kind.norm == BATCH and s == steps - 1:
            size = parts * 6
            for k in range(len(seen)):
                found = matrix(scratch.flat, scratch.stats + k * scratch.parts * 6 * scratch.width, size, scratch.width)
                copy(matrix(seen, k * size * scratch.width, size, scratch.width), found)
        backward(n, parts, kind, numbers, limits[s], places, p, state, other_state, mask, scratch)
        learn_first(batches, s, n, mask, given, kind, numbers, lr, places, p, state, other_state, gw, scratch)
        if len(average):
            share = p.dtype.type(1) - numbers.average_decay
            for j in range(len(p)):
                average[j] += share * (p[j] - average[j])
    if coasting:
        first.catch_up(batches, steps, given, numbers.a, w, velocity, width, masks[0])
    restore(before)


@shared
def learn_first(batches, s, n, mask, given, kind, numbers, lr, places, p, state, other_state, gw, scratch):
    """Update the first layer's weights by what `backward` has left; lazily where there is no room for a gradient."""
    depth, width, at = places.layers[0, FAN_IN], places.layers[0, WIDTH], places.layers[0, W]
    gz = matrix(scratch.flat, scratch.g[1], n, width)
    if len(gw):
        first.gradient(batches, s, gz, given, mask, matrix(gw, 0, depth, places.pitch))
        update_all(at, gw, lr, numbers.l2, numbers.l1, kind, numbers, p, state, other_state)
    else:
        w, velocity = matrix(p, at, depth, places.pitch), matrix(state, at, depth if len(state) else 0, places.pitch)
        first.descend(batches, s, gz, lr, numbers.a, given, kind, w, velocity, mask)


def rooms(batches: Batches, kind: Kind, places: Places, masks: np.ndarray) -> tuple[first.First, Room]:
    """Make the room that `train` works in."""
    n, dtype = batches.indices.shape[1], masks.dtype
    parts = n // kind.micro_batch if kind.micro_batch else 1
    own = first.first(batches, int(places.layers[0, FAN_IN]), places.pitch, masks.shape[1] > 0, dtype)
    return own, room(places, n, parts, dtype)


def compile_parts(
    batches: Batches, kind: Kind, numbers: Numbers, places: Places, p: np.ndarray, states: tuple[np.ndarray, ...]
) -> None:
    """Compile what `train` calls last, as it calls it: a process that compiles `train` finds it done."""
    one, limits, mask, y = np.int64(1), np.zeros(4, p.dtype), np.zeros(0, p.dtype), np.zeros((1, 1), p.dtype)
    given, scratch = rooms(batches, kind, places, mask[None])
    _compile(loss, y, batches.labels[0], one, y)
    _compile(backward, one, one, kind, numbers, limits, places, p, *states, mask, scratch)
    _compile(
        learn_first, batches, one, one, mask, given, kind, numbers, limits[0], places, p, *states, scratch.flat, scratch
    )  # fmt: skip


def _compile(kernel: Any, *arguments: Any) -> None:
    kernel.compile(tuple(numba.typeof(each) for each in arguments))
