"""One replica's network forward and backward, one batch: what `model.Perceptron` and Chainer's graph do."""

import numpy as np

from bnrenorm.fused import blas, normal, products, update
from bnrenorm.fused.compiled import inlined
from bnrenorm.fused.types import BATCH, FIXED, LAYER, NODE, NONE, SHARED, copy, zero
from bnrenorm.fused.views import matrix, vector


@inlined
def loss(logits, labels, n, gy):
    """Return the mean softmax cross entropy and the share of right answers; gy becomes the gradient of the loss."""
    classes, one = logits.shape[1], logits.dtype.type(1)
    total_loss, right = 0.0, 0
    for i in range(n):
        top, best = logits[i, 0], 0
        for c in range(1, classes):
            if logits[i, c] > top:
                top, best = logits[i, c], c
        total = logits.dtype.type(0)
        for c in range(classes):
            gy[i, c] = np.exp(logits[i, c] - top)
            total += gy[i, c]
        total_loss += np.log(total) - (logits[i, labels[i]] - top)
        right += best == labels[i]
        for c in range(classes):
            gy[i, c] /= total * n
        gy[i, labels[i]] -= one / n
    return total_loss / n, right / n


@inlined
def forward(n, parts, kind, numbers, limits, places, p, run, room):
    """Fill room: given, whose first is there already, out, stats, logits; and update the running statistics."""
    shape = places.shape
    hidden = len(shape) - 2
    x = room.logits  # of no use: the first layer's product is made elsewhere
    for depth in range(hidden):
        width = shape[depth + 1]
        z, y = layer(room.given, depth, n, width), layer(room.out, depth, n, width)
        if depth > 0:
            linear(depth, places, p, x, z)
        if not kind.norm_first:
            relu(z)
        gamma, beta = affine_room(room, depth, width)
        read_affine(p, places.affine[depth], kind.affine, gamma, beta)
        if kind.norm == BATCH:
            averages = matrix(run, places.run[depth], 2, width)
            normalise(
                z, parts, kind, numbers, limits, averages, gamma, beta, room.stats[depth], room.nodes, room.total, y
            )
        elif kind.norm == LAYER:
            normal.layer_forward(z, numbers.eps, gamma, beta, room.rows[depth, 0], room.rows[depth, 1], y)
        else:
            copy(y, z)
        if kind.norm_first:
            relu(y)
        x = y
    linear(hidden, places, p, x, room.logits[:n])


@inlined
def layer(room, depth, n, width):
    """View a layer's part of room (H, N W) as (n, width)."""
    return matrix(room, depth * room.shape[1], n, width)


@inlined
def affine_room(room, depth, width):
    """View a layer's gamma and beta, each (width,)."""
    at, widest = 2 * depth * room.affine.shape[2], room.affine.shape[2]
    return vector(room.affine, at, width), vector(room.affine, at + widest, width)


@inlined
def linear(depth, places, p, x, y):
    """Set y to what the linear layer at that depth, above the first, makes of x."""
    fan_in, width = places.shape[depth], places.shape[depth + 1]
    products.forward(x, matrix(p, places.w[depth], width, fan_in), vector(p, places.b[depth], width), y)


@inlined
def normalise(x, parts, kind, numbers, limits, averages, gamma, beta, stats, nodes, total, y):
    """Normalise each part of the rows by its own statistics, then update the running ones by the parts' mean.

    averages (2, D): running mean, and running variance or standard deviation. stats (parts, 6, >= D) is left for the
    way back and for the diagnosis: mean, std, r, d, and the running mean and std that r and d were had from.
    """
    n, width = x.shape
    part, eps = n // parts, numbers.eps
    scale, shift, kept_mean, kept_scale = nodes[0], nodes[1], nodes[2], nodes[3]
    run_mean, run_std = nodes[6], nodes[7]
    bessel = x.dtype.type(part / max(part - 1.0, 1.0))
    for k in range(width):
        run_mean[k] = averages[0, k]
        run_std[k] = averages[1, k] if kind.keep_std else np.sqrt(averages[1, k] + eps)
        kept_mean[k] = kept_scale[k] = 0
    for q in range(parts):
        first, last = q * part, (q + 1) * part
        at, pitch = 6 * q * stats.shape[2], stats.shape[2]
        mean, std = vector(stats, at, width), vector(stats, at + pitch, width)
        r, d = vector(stats, at + 2 * pitch, width), vector(stats, at + 3 * pitch, width)
        normal.moments(x, first, last, mean, std, total)
        for k in range(width):
            var = std[k]
            std[k] = np.sqrt(var + eps)
            kept_mean[k] += mean[k]
            kept_scale[k] += std[k] if kind.keep_std else var * bessel
            stats[q, 4, k] = run_mean[k]
            stats[q, 5, k] = run_std[k]
        normal.corrections(mean, std, run_mean, run_std, limits[0], limits[1], r, d)
        normal.forward(x, first, last, mean, std, r, d, gamma, beta, scale, shift, y)
    count = x.dtype.type(parts)
    share = (x.dtype.type(1) - numbers.decay) / count
    for k in range(width):
        averages[0, k] += share * (kept_mean[k] - count * averages[0, k])
        averages[1, k] += share * (kept_scale[k] - count * averages[1, k])


@inlined
def backward(n, parts, kind, numbers, limits, places, p, state, other_state, room):
    """Update every parameter but the first layer's weights, layer by layer from the top, each after it was needed.

    Returns the gradient of what the first layer's product put out.
    """
    shape = places.shape
    hidden = len(shape) - 2
    gy = room.glogits[:n]
    for depth in range(hidden, -1, -1):
        fan_in, width = shape[depth], shape[depth + 1]
        if depth < hidden:
            gy = _back_to_linear(gy, depth, n, parts, kind, numbers, limits, places, p, state, other_state, room)
        gb = vector(room.nodes, 0, width)
        zero(gb)
        for i in range(n):
            for k in range(width):
                gb[k] += gy[i, k]
        update_all(places.b[depth], gb, limits[2], p.dtype.type(0), kind, numbers, p, state, other_state)
        if depth > 0:
            at, size = places.w[depth], width * fan_in
            gx = layer(room.g, 0, n, fan_in)
            blas.inputs(gy, matrix(p, at, width, fan_in), gx)
            blas.weights(gy, layer(room.out, depth - 1, n, fan_in), room.gw, 0)
            update_all(
                at, vector(room.gw, 0, size), limits[2], numbers.weight_decay, kind, numbers, p, state, other_state
            )
            gy = gx
    return gy


@inlined
def _back_to_linear(gy, depth, n, parts, kind, numbers, limits, places, p, state, other_state, room):
    """Return the gradient of what the linear layer put out, given that of the hidden layer; updates gamma and beta."""
    width = places.shape[depth + 1]
    z, y = layer(room.given, depth, n, width), layer(room.out, depth, n, width)
    gz = layer(room.g, 1, n, width)
    gamma, _ = affine_room(room, depth, width)
    ggamma, gbeta, along, sums = room.nodes[2], room.nodes[3], room.nodes[4], room.nodes[5]
    zero(ggamma)
    zero(gbeta)
    if kind.norm_first:
        _mask(gy, y)
    if kind.norm == BATCH:
        part = n // parts
        for q in range(parts):
            s = room.stats[depth, q]
            normal.backward(
                gy, z, q * part, (q + 1) * part, s[0], s[1], s[2], s[3], gamma, along, sums, gz, ggamma, gbeta
            )
    elif kind.norm == LAYER:
        normal.layer_backward(gy, z, room.rows[depth, 0], room.rows[depth, 1], gamma, gz, ggamma, gbeta)
    else:
        copy(gz, gy)
    if not kind.norm_first:
        _mask(gz, z)
    if kind.norm != NONE and kind.affine != FIXED:
        size = width if kind.affine == NODE else 1
        if kind.affine == SHARED:
            for k in range(1, width):
                ggamma[0] += ggamma[k]
                gbeta[0] += gbeta[k]
        at = places.affine[depth]
        update_all(at, vector(ggamma, 0, size), limits[3], p.dtype.type(0), kind, numbers, p, state, other_state)
        update_all(at + size, vector(gbeta, 0, size), limits[3], p.dtype.type(0), kind, numbers, p, state, other_state)
    return gz


@inlined
def update_all(at, g, lr, decay, kind, numbers, p, state, other_state):
    """Update the parameters from `at` by their gradient g."""
    update.part(kind.optimizer, p, at, g, state, other_state, lr, numbers.a, numbers.b, numbers.optimizer_eps, decay)


@inlined
def read_affine(p, at, kind, gamma, beta):
    """Read gamma and beta (D,), as the kind has them; `at` is -1 where there are none."""
    width = len(gamma)
    for k in range(width):
        gamma[k] = 1 if at < 0 else p[at + (k if kind == NODE else 0)]
        beta[k] = 0 if at < 0 else p[at + (width + k if kind == NODE else 1)]


@inlined
def relu(x):
    """Set what is below 0 to 0."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            if x[i, k] < 0:  # NaN stays
                x[i, k] = 0


@inlined
def _mask(g, out):
    for i in range(g.shape[0]):
        for k in range(g.shape[1]):
            if out[i, k] <= 0:
                g[i, k] = 0
