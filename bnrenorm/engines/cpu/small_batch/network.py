"""One replica's network, forward and backward over one batch: what `network.mlp` and Chainer's graph do.

Arguments that several functions share:

- n: images in the batch; micro_batches: M, the parts of the batch that are normalised separately;
- spec, hyper, layout: `engines.spec` and `ops.layout`; schedule (4,): the step's row of `network.schedule`;
- p (P,): parameters; exp_avg, exp_avg_sq (P,): states of the optimizer; run (Q,): running statistics;
- mask (D + H + ...): 1 where an input or a hidden node is kept, 0 where it is dropped; empty without dropout;
- depth: the layer, from 0; ws: `workspace`.
"""

import numpy as np

from bnrenorm.engines.cpu.codegen.arrays import copy, matrix, vector, zero
from bnrenorm.engines.cpu.codegen.decorators import cached_subroutine, strict_subroutine, subroutine
from bnrenorm.engines.cpu.ops import norm
from bnrenorm.engines.cpu.ops.layout import AFFINE, FAN_IN, RUN, WIDTH, B, W
from bnrenorm.engines.cpu.ops.loss import softmax_cross_entropy
from bnrenorm.engines.cpu.ops.optimizer import apply_update
from bnrenorm.engines.cpu.ops.relu import relu, relu_backward
from bnrenorm.engines.cpu.small_batch.linear import backward_input, backward_weight, forward_layer
from bnrenorm.engines.cpu.small_batch.workspace import activations, affine, row_statistics, statistics
from bnrenorm.engines.spec import BATCH, FIXED, LAYER, NODE, NONE, SHARED
from bnrenorm.network.schedule import AFFINE_LR, D_MAX, LR, R_MAX


@cached_subroutine
def mean_loss(logits, labels, n, learning, glogits):
    """Return the mean softmax cross entropy of n images and the accuracy.

    logits (n, C), labels (n,) int32. With `learning`, glogits (n, C) becomes the gradient of the mean loss.
    """
    classes = logits.shape[1]
    total, right = 0.0, 0
    for i in range(n):
        row, g = vector(logits, i * classes, classes), vector(glogits, i * classes, classes)
        log_sum, top, best = softmax_cross_entropy(row, labels[i], n, learning, g)
        total += log_sum - (row[labels[i]] - top)
        right += best == labels[i]
    return _mean(total, n), _mean(right, n)


@strict_subroutine
def _mean(total, n):
    """Return the quotient: elsewhere LLVM shares a reciprocal, or fuses it with a sum, on some processors only."""
    return total / n


@subroutine
def forward(n, micro_batches, spec, hyper, schedule, layout, p, run, mask, ws):
    """Set ws.norm_in (except for its first layer, which the caller sets), ws.out, ws.stats, ws.logits; update `run`."""
    hidden = len(layout.layers) - 1
    for depth in range(hidden):
        width = layout.layers[depth, WIDTH]
        z, y = activations(ws, ws.norm_in, depth, n, width), activations(ws, ws.out, depth, n, width)
        if depth > 0:
            forward_layer(depth, n, layout, p, ws, z)
        if not spec.norm_first:
            relu(z)
        gamma, beta = affine(ws, depth, width)
        norm.read_affine(p, layout.layers[depth, AFFINE], spec.affine, gamma, beta)
        if spec.norm == BATCH:
            running = matrix(run, layout.layers[depth, RUN], 2, width)
            normalise(z, depth, micro_batches, spec, hyper, schedule, running, gamma, beta, ws, y)
        elif spec.norm == LAYER:
            mean, std = row_statistics(ws, depth)
            norm.layer_forward(z, hyper.eps, gamma, beta, mean, std, y)
        else:
            copy(y, z)
        if spec.norm_first:
            relu(y)
        _drop(y, mask, depth, layout)
    forward_layer(hidden, n, layout, p, ws, matrix(ws.flat, ws.logits, n, layout.layers[hidden, WIDTH]))


@subroutine
def _drop(x, mask, depth, layout):
    """Set the dropped nodes of hidden layer `depth` to 0 in all rows of x (n, D)."""
    if len(mask):
        offset = layout.layers[0, FAN_IN]
        for earlier in range(depth):
            offset += layout.layers[earlier, WIDTH]
        for i in range(x.shape[0]):
            for k in range(x.shape[1]):
                x[i, k] *= mask[offset + k]


@subroutine
def normalise(x, depth, micro_batches, spec, hyper, schedule, running, gamma, beta, ws, y):
    """Set y (n, D) from x (n, D), each micro-batch by its own statistics; then update the running ones by their mean.

    running (2, D): running mean, and running variance or standard deviation. Leaves the statistics in ws.stats.
    """
    n, width = x.shape
    size, eps = n // micro_batches, hyper.eps
    scale, shift = vector(ws.flat, ws.nodes[0], width), vector(ws.flat, ws.nodes[1], width)
    total_mean, total_scale = vector(ws.flat, ws.nodes[2], width), vector(ws.flat, ws.nodes[3], width)
    bessel = x.dtype.type(norm.bessel(size))
    for k in range(width):
        total_mean[k] = total_scale[k] = 0
    for q in range(micro_batches):
        begin, end = q * size, (q + 1) * size
        mean, std, r, d, run_mean, run_std = statistics(ws, depth, q, width)
        norm.moments(x, begin, end, mean, std, ws.total)
        for k in range(width):
            var = std[k]
            std[k] = np.sqrt(var + eps)
            total_mean[k] += mean[k]
            total_scale[k] += norm.tracked_scale(var, std[k], bessel, spec.track_std)
            run_mean[k] = running[0, k]
            run_std[k] = norm.running_std(running[1, k], eps, spec.track_std)
        norm.corrections(mean, std, run_mean, run_std, schedule[R_MAX], schedule[D_MAX], r, d)
        norm.forward(x, begin, end, mean, std, r, d, gamma, beta, scale, shift, y)
    count = x.dtype.type(micro_batches)
    weight = (x.dtype.type(1) - hyper.decay) / count
    for k in range(width):
        running[0, k] = norm.moving_average(running[0, k], total_mean[k], count, weight)
        running[1, k] = norm.moving_average(running[1, k], total_scale[k], count, weight)


@cached_subroutine
def backward(n, micro_batches, spec, hyper, schedule, layout, p, exp_avg, exp_avg_sq, mask, ws):
    """Update every parameter but the first layer's weights, layer by layer from the output, each after its last use.

    Reads ws.glogits; leaves the gradient of the first layer's linear output in ws.g[1], for the caller.
    """
    hidden, no_decay = len(layout.layers) - 1, p.dtype.type(0)
    for depth in range(hidden, -1, -1):
        fan_in, width = layout.layers[depth, FAN_IN], layout.layers[depth, WIDTH]
        gy = matrix(ws.flat, ws.glogits, n, width)
        if depth < hidden:
            gy = matrix(ws.flat, ws.g[1], n, width)
            _backward_to_linear(
                depth, n, micro_batches, spec, hyper, schedule, layout, p, exp_avg, exp_avg_sq, mask, ws
            )
        gb = vector(ws.flat, ws.nodes[0], width)
        zero(gb)
        for i in range(n):
            for k in range(width):
                gb[k] += gy[i, k]
        apply_update(
            spec.optimizer, hyper, p, layout.layers[depth, B], gb, exp_avg, exp_avg_sq, schedule[LR], no_decay, no_decay
        )
        if depth > 0:
            offset, size = layout.layers[depth, W], width * fan_in
            gw = matrix(ws.flat, ws.gw, width, fan_in)
            backward_input(gy, matrix(p, offset, width, fan_in), matrix(ws.flat, ws.g[0], n, fan_in))
            backward_weight(gy, activations(ws, ws.out, depth - 1, n, fan_in), gw)
            apply_update(
                spec.optimizer, hyper, p, offset, vector(gw, 0, size), exp_avg, exp_avg_sq, schedule[LR], hyper.l2,
                hyper.l1,
            )  # fmt: skip


@subroutine
def _backward_to_linear(depth, n, micro_batches, spec, hyper, schedule, layout, p, exp_avg, exp_avg_sq, mask, ws):
    """Set ws.g[1], the gradient of a layer's linear output, from ws.g[0], that of its output; update gamma and beta."""
    width = layout.layers[depth, WIDTH]
    z, y = activations(ws, ws.norm_in, depth, n, width), activations(ws, ws.out, depth, n, width)
    gy, gz = matrix(ws.flat, ws.g[0], n, width), matrix(ws.flat, ws.g[1], n, width)
    gamma, _ = affine(ws, depth, width)
    ggamma, gbeta = vector(ws.flat, ws.nodes[2], width), vector(ws.flat, ws.nodes[3], width)
    sum_dy_xmu, sum_dy = vector(ws.flat, ws.nodes[4], width), vector(ws.flat, ws.nodes[5], width)
    scale = vector(ws.flat, ws.nodes[0], width)
    zero(ggamma)
    zero(gbeta)
    _drop(gy, mask, depth, layout)
    if spec.norm_first:
        relu_backward(gy, y)
    if spec.norm == BATCH:
        size = n // micro_batches
        for q in range(micro_batches):
            mean, std, r, d, _, _ = statistics(ws, depth, q, width)
            norm.backward(
                gy, z, q * size, (q + 1) * size, mean, std, r, d, gamma, scale, sum_dy_xmu, sum_dy, gz, ggamma, gbeta
            )
    elif spec.norm == LAYER:
        mean, std = row_statistics(ws, depth)
        norm.layer_backward(gy, z, mean, std, gamma, gz, ggamma, gbeta)
    else:
        copy(gz, gy)
    if not spec.norm_first:
        relu_backward(gz, z)
    if spec.norm != NONE and spec.affine != FIXED:
        size = width if spec.affine == NODE else 1
        if spec.affine == SHARED:
            for k in range(1, width):
                ggamma[0] += ggamma[k]
                gbeta[0] += gbeta[k]
            if spec.mean_gradient:
                inverse = p.dtype.type(1) / p.dtype.type(width)
                ggamma[0] *= inverse
                gbeta[0] *= inverse
        offset, no_decay, lr = layout.layers[depth, AFFINE], p.dtype.type(0), schedule[AFFINE_LR]
        for k in range(2):  # gamma, then beta
            g = vector(ggamma, 0, size) if k == 0 else vector(gbeta, 0, size)
            apply_update(spec.optimizer, hyper, p, offset + k * size, g, exp_avg, exp_avg_sq, lr, no_decay, no_decay)
