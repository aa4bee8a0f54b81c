"""Many training steps of one replica in one call: its weights stay close to its core from step to step."""

from typing import Any

import numba
import numpy as np
from numba import types

from bnrenorm.engines.cpu.codegen.arrays import copy, matrix, vector, zero
from bnrenorm.engines.cpu.codegen.decorators import cached_subroutine, kernel
from bnrenorm.engines.cpu.codegen.denormals import flush, restore
from bnrenorm.engines.cpu.ops.layout import FAN_IN, WIDTH, B, ParameterLayout, W
from bnrenorm.engines.cpu.ops.norm import moving_average
from bnrenorm.engines.cpu.ops.optimizer import apply_update
from bnrenorm.engines.cpu.parameters import ReplicaRows
from bnrenorm.engines.cpu.small_batch import first_layer, workspace
from bnrenorm.engines.cpu.small_batch.first_layer import FirstLayer
from bnrenorm.engines.cpu.small_batch.network import backward, forward, mean_loss
from bnrenorm.engines.cpu.small_batch.workspace import Workspace
from bnrenorm.engines.cpu.sparse.minibatch import Minibatches
from bnrenorm.engines.spec import BATCH, MOMENTUM, Hyperparams, KernelSpec
from bnrenorm.network.schedule import LR


@kernel
def train(
    batches, spec, hyper, schedule, masks, layout, scratch, ws, p, exp_avg, exp_avg_sq, average, run, statistics,
    logits, sums,
):  # fmt: skip
    """Take S steps of one replica.

    batches: `sparse.minibatch`, S of them; spec, hyper: `engines.spec`; schedule (S, 4): `network.schedule`; masks
    (S, D + H + ...): `dropout_masks`, or (S, 0); layout: `ops.layout`; scratch, ws: from `workspaces`.

    Changed in place: p (P,), the parameters; exp_avg, exp_avg_sq (P,), the optimizer's states; average (P,), the moving
    average of the parameters; all empty where there is none; run (Q,), the running statistics; statistics
    (H, M, 6, W) and logits (K, C), what the last step showed (`last_step`); sums (2,) float64, to which every step's
    mean loss and accuracy are added.
    """
    steps, layers, pitch = len(batches.labels), layout.layers, layout.pitch
    depth, width, offset = layers[0, FAN_IN], layers[0, WIDTH], layers[0, W]
    classes, one = layers[-1, WIDTH], p.dtype.type(1)
    w, b = matrix(p, offset, depth, pitch), vector(p, layers[0, B], width)
    velocity = matrix(exp_avg, offset, depth if len(exp_avg) else 0, pitch)
    decays = hyper.l2 != 0 or hyper.l1 != 0
    in_place = spec.optimizer <= MOMENTUM and not decays
    coasting = in_place and spec.optimizer == MOMENTUM
    gw = vector(ws.flat, ws.gw, 0 if in_place else depth * pitch)
    zero(scratch.steps_taken)
    before = flush()
    for s in range(steps):
        n, mask = batches.counts[s], masks[s]
        micro_batches = n // spec.micro_batch if spec.micro_batch else 1
        if coasting:
            first_layer.catch_up(batches, s, scratch, hyper.momentum, w, velocity, width, True)
        first_layer.forward(batches, s, scratch, w, b, mask, matrix(ws.flat, ws.norm_in, n, width))
        forward(n, micro_batches, spec, hyper, schedule[s], layout, p, run, mask, ws)
        scores, glogits = matrix(ws.flat, ws.logits, n, classes), matrix(ws.flat, ws.glogits, n, classes)
        loss, accuracy = mean_loss(scores, batches.labels[s], n, True, glogits)
        sums[0] += loss
        sums[1] += accuracy
        if s == steps - 1:
            copy(logits, matrix(ws.flat, ws.logits, len(logits), classes))
        if spec.norm == BATCH and s == steps - 1:
            size = micro_batches * 6
            for k in range(len(statistics)):
                source = matrix(ws.flat, ws.stats + k * ws.micro_batches * 6 * ws.width, size, ws.width)
                copy(matrix(statistics, k * size * ws.width, size, ws.width), source)
        backward(n, micro_batches, spec, hyper, schedule[s], layout, p, exp_avg, exp_avg_sq, mask, ws)
        update_first(batches, s, n, mask, scratch, spec, hyper, schedule[s, LR], layout, p, exp_avg, exp_avg_sq, gw, ws)
        if coasting and (len(average) > 0 or s == steps - 1):
            first_layer.catch_up(batches, s + 1, scratch, hyper.momentum, w, velocity, width, False)
        if len(average):
            weight = one - hyper.average_decay
            for j in range(len(p)):
                average[j] = moving_average(average[j], p[j], one, weight)
    restore(before)


@cached_subroutine
def update_first(batches, s, n, mask, scratch, spec, hyper, lr, layout, p, exp_avg, exp_avg_sq, gw, ws):
    """Update the first layer's weights from ws.g[1]; with gw empty, in place (`first_layer.descend`).

    lr: scalar; gw (D * pitch,): scratch for the gradient; other arguments as in `train`, of step s with n images.
    """
    depth, width, offset = layout.layers[0, FAN_IN], layout.layers[0, WIDTH], layout.layers[0, W]
    gz = matrix(ws.flat, ws.g[1], n, width)
    if len(gw):
        first_layer.gradient(batches, s, gz, scratch, mask, matrix(gw, 0, depth, layout.pitch))
        apply_update(spec.optimizer, hyper, p, offset, gw, exp_avg, exp_avg_sq, lr, hyper.l2, hyper.l1)
    else:
        w = matrix(p, offset, depth, layout.pitch)
        velocity = matrix(exp_avg, offset, depth if len(exp_avg) else 0, layout.pitch)
        first_layer.descend(batches, s, gz, lr, hyper.momentum, scratch, spec, w, velocity, mask)


def workspaces(
    n: int, spec: KernelSpec, layout: ParameterLayout, dropping: bool, dtype: np.dtype
) -> tuple[FirstLayer, Workspace]:
    """Allocate the scratch that `train` needs for batches of at most n images."""
    micro_batches = n // spec.micro_batch if spec.micro_batch else 1
    depth = int(layout.layers[0, FAN_IN])
    scratch = first_layer.allocate(n, depth, layout.pitch, dropping, dtype)
    return scratch, workspace.allocate(layout, n, micro_batches, dtype)


def compile_subroutines(
    batches: Minibatches, spec: KernelSpec, hyper: Hyperparams, layout: ParameterLayout, rows: ReplicaRows
) -> None:
    """Compile what `train` calls last, with the types it passes: a process that compiles `train` then finds them."""
    p, *states, _, _ = rows
    one, schedule, mask, y = np.int64(1), np.zeros(4, p.dtype), np.zeros(0, p.dtype), np.zeros((1, 1), p.dtype)
    scratch, ws = workspaces(1, spec, layout, False, p.dtype)
    _compile(mean_loss, y, batches.labels[0], one, True, y)
    _compile(backward, one, one, spec, hyper, schedule, layout, p, *states, mask, ws)
    _compile(
        update_first, batches, one, one, mask, scratch, spec, hyper, schedule[LR], layout, p, *states, ws.flat, ws
    )  # fmt: skip


def _compile(subroutine: Any, *arguments: Any) -> None:
    """Compile for the types of these arguments; a bool is a constant in `train`, which numba types by its value."""
    subroutine.compile(
        tuple(types.literal(value) if isinstance(value, bool) else numba.typeof(value) for value in arguments)
    )
