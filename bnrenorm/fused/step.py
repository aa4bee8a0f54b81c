"""Many training steps of one replica in one call: its weights stay near its core from step to step."""

from typing import Any

import numba
import numpy as np

from bnrenorm.fused import first, update
from bnrenorm.fused.compiled import kernel
from bnrenorm.fused.denormals import flush, restore
from bnrenorm.fused.propagate import backward, forward, loss, update_all
from bnrenorm.fused.types import BATCH, FAN_IN, WIDTH, B, W, copy, layer, outputs, room, zero
from bnrenorm.fused.views import matrix, vector


@kernel
def train(batches, images, kind, numbers, limits, masks, places, p, state, other_state, average, run, seen, kept, sums):
    """Take S steps of one replica.

    images (M, D), of which `batches` are. At each step: limits (S, 4), r_max, d_max, learning rate, that of gamma and
    beta; masks (S, D + H + ...), which inputs and nodes are kept, or (S, 0) for all. Changed in place: p, state,
    other_state (P,), the parameters and the optimizer's states; average (P,), the moving average of the parameters,
    empty without one; run (Q,), the running statistics; seen (H, parts, 6, W), the last step's, as
    `propagate.normalise` leaves them; kept (K, classes), that step's first logits; sums (2,) float64, to which every
    step's loss and accuracy are added.
    """
    steps, n = batches.indices.shape
    scratch = room(places, n, n // kind.micro_batch if kind.micro_batch else 1, p)
    layers, pitch = places.layers, places.pitch
    depth, width, at = layers[0, FAN_IN], layers[0, WIDTH], layers[0, W]
    given = first.first(batches, depth, pitch, masks.shape[1] > 0, p)
    w, b = matrix(p, at, depth, pitch), vector(p, layers[0, B], width)
    velocity = matrix(state, at, depth if len(state) else 0, pitch)
    sparse = len(given.x) == 0
    decays = numbers.l2 != 0 or numbers.l1 != 0
    lazy = sparse and kind.optimizer <= update.MOMENTUM and not decays and len(average) == 0
    gw = vector(scratch.flat, scratch.gw, 0 if lazy else depth * pitch)
    zero(gw)
    before = flush()
    for s in range(steps):
        n, lr, mask = batches.counts[s], limits[s, 2], masks[s]
        parts = n // kind.micro_batch if kind.micro_batch else 1
        if lazy:
            first.catch_up(batches, s, given, kind, numbers.a, w, velocity, width, mask)
        first.forward(batches, s, images, given, w, b, mask, layer(scratch, scratch.given, 0, n, width))
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
        gz = layer(scratch, scratch.g, 1, n, width)
        if lazy:
            first.descend(batches, s, gz, lr, numbers.a, given, kind, w, velocity, mask)
        else:
            first.gradient(batches, s, gz, given, mask, matrix(gw, 0, depth, pitch))
            update_all(at, gw, lr, numbers.l2, numbers.l1, kind, numbers, p, state, other_state)
        if len(average):
            share = p.dtype.type(1) - numbers.average_decay
            for j in range(len(p)):
                average[j] += share * (p[j] - average[j])
    if lazy:
        first.catch_up(batches, steps, given, kind, numbers.a, w, velocity, width, masks[0])
    restore(before)


def compile_backward(
    batches: Any, images: Any, kind: Any, numbers: Any, limits: Any, masks: Any, places: Any, p: Any, state: Any,
    other_state: Any, *_: Any,
) -> None:  # fmt: skip
    """Compile `backward` for the arguments of a call of `train`: a process that compiles `train` finds it done."""
    one = np.int64(1)
    scratch = room.py_func(places, 1, 1, p)
    given = (one, one, kind, numbers, limits[0], places, p, state, other_state, masks[0], scratch)
    backward.compile(tuple(numba.typeof(each) for each in given))
