"""One replica's network forward and backward, one batch: what `model.Perceptron` and Chainer's graph do."""

import numpy as np

from bnrenorm.fused import blas, normal, products, update
from bnrenorm.fused.compiled import inlined, shared
from bnrenorm.fused.types import (
    AFFINE,
    BATCH,
    FAN_IN,
    FIXED,
    LAYER,
    NODE,
    NONE,
    RUN,
    SHARED,
    WIDTH,
    B,
    W,
    copy,
    layer,
    rows,
    statistics,
    zero,
)
from bnrenorm.fused.views import matrix, vector


@shared
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
def forward(n, parts, kind, numbers, limits, places, p, run, mask, room):
    """Fill room: given, whose first is there already, out, stats, logits; and update the running statistics.

    limits (4,): r_max, d_max, the learning rate, and that of gamma and beta. mask: which inputs and nodes of hidden
    layers are kept, one after the other; of length 0 where nothing is dropped.
    """
    hidden = len(places.layers) - 1
    for depth in range(hidden):
        width = places.layers[depth, WIDTH]
        z, y = layer(room, room.given, depth, n, width), layer(room, room.out, depth, n, width)
        if depth > 0:
            linear(depth, n, places, p, room, z)
        if not kind.norm_first:
            relu(z)
        at = room.affine + 2 * depth * room.width
        gamma, beta = vector(room.flat, at, width), vector(room.flat, at + room.width, width)
        read_affine(p, places.layers[depth, AFFINE], kind.affine, gamma, beta)
        if kind.norm == BATCH:
            averages = matrix(run, places.layers[depth, RUN], 2, width)
            normalise(z, depth, parts, kind, numbers, limits, averages, gamma, beta, room, y)
        elif kind.norm == LAYER:
            mean, std = rows(room, depth)
            normal.layer_forward(z, numbers.eps, gamma, beta, mean, std, y)
        else:
            copy(y, z)
        if kind.norm_first:
            relu(y)
        _drop(y, mask, depth, places)
    linear(hidden, n, places, p, room, matrix(room.flat, room.logits, n, places.layers[hidden, WIDTH]))


@inlined
def _drop(x, mask, depth, places):
    """Set the nodes of a hidden layer that are not kept to 0, for all rows of x (n, D)."""
    if len(mask):
        at = places.layers[0, FAN_IN]
        for earlier in range(depth):
            at += places.layers[earlier, WIDTH]
        for i in range(x.shape[0]):
            for k in range(x.shape[1]):
                x[i, k] *= mask[at + k]


@shared
def linear(depth, n, places, p, room, y):
    """Set y to what the linear layer at that depth, above the first, makes of the output below it."""
    fan_in, width = places.layers[depth, FAN_IN], places.layers[depth, WIDTH]
    w, b = matrix(p, places.layers[depth, W], width, fan_in), vector(p, places.layers[depth, B], width)
    products.forward(layer(room, room.out, depth - 1, n, fan_in), w, b, y)


@inlined
def normalise(x, depth, parts, kind, numbers, limits, averages, gamma, beta, room, y):
    """Normalise each part of the rows by its own statistics, then update the running ones by the parts' mean.

    averages (2, D): running mean, and running variance or standard deviation. room.stats is left for the way back and
    for the diagnosis: mean, std, r, d, and the running mean and std that r and d were had from.
    """
    n, width = x.shape
    part, eps = n // parts, numbers.eps
    scale, shift = vector(room.flat, room.nodes[0], width), vector(room.flat, room.nodes[1], width)
    kept_mean, kept_scale = vector(room.flat, room.nodes[2], width), vector(room.flat, room.nodes[3], width)
    bessel = x.dtype.type(part / max(part - 1.0, 1.0))
    for k in range(width):
        kept_mean[k] = kept_scale[k] = 0
    for q in range(parts):
        first, last = q * part, (q + 1) * part
        mean, std, r, d, run_mean, run_std = statistics(room, depth, q, width)
        normal.moments(x, first, last, mean, std, room.total)
        for k in range(width):
            var = std[k]
            std[k] = np.sqrt(var + eps)
            kept_mean[k] += mean[k]
            kept_scale[k] += std[k] if kind.keep_std else var * bessel
            run_mean[k] = averages[0, k]
            run_std[k] = averages[1, k] if kind.keep_std else np.sqrt(averages[1, k] + eps)
        normal.corrections(mean, std, run_mean, run_std, limits[0], limits[1], r, d)
        normal.forward(x, first, last, mean, std, r, d, gamma, beta, scale, shift, y)
    count = x.dtype.type(parts)
    share = (x.dtype.type(1) - numbers.decay) / count
    for k in range(width):
        averages[0, k] += share * (kept_mean[k] - count * averages[0, k])
        averages[1, k] += share * (kept_scale[k] - count * averages[1, k])


@shared
def backward(n, parts, kind, numbers, limits, places, p, state, other_state, mask, room):
    """Update every parameter but the first layer's weights, layer by layer from the top, each after it was needed.

    The gradient of what the first layer's product put out is left in the second part of room.g.
    """
    hidden, none = len(places.layers) - 1, p.dtype.type(0)
    for depth in range(hidden, -1, -1):
        fan_in, width = places.layers[depth, FAN_IN], places.layers[depth, WIDTH]
        gy = matrix(room.flat, room.glogits, n, width)
        if depth < hidden:
            gy = matrix(room.flat, room.g[1], n, width)
            _back_to_linear(depth, n, parts, kind, numbers, limits, places, p, state, other_state, mask, room)
        gb = vector(room.flat, room.nodes[0], width)
        zero(gb)
        for i in range(n):
            for k in range(width):
                gb[k] += gy[i, k]
        update_all(places.layers[depth, B], gb, limits[2], none, none, kind, numbers, p, state, other_state)
        if depth > 0:
            at, size = places.layers[depth, W], width * fan_in
            gw = matrix(room.flat, room.gw, width, fan_in)
            blas.inputs(gy, matrix(p, at, width, fan_in), matrix(room.flat, room.g[0], n, fan_in))
            blas.weights(gy, layer(room, room.out, depth - 1, n, fan_in), gw, 0)
            update_all(at, vector(gw, 0, size), limits[2], numbers.l2, numbers.l1, kind, numbers, p, state, other_state)


@inlined
def _back_to_linear(depth, n, parts, kind, numbers, limits, places, p, state, other_state, mask, room):
    """Go from the hidden layer's gradient, room.g's first part, to the linear one's; update gamma and beta."""
    width = places.layers[depth, WIDTH]
    z, y = layer(room, room.given, depth, n, width), layer(room, room.out, depth, n, width)
    gy, gz = matrix(room.flat, room.g[0], n, width), matrix(room.flat, room.g[1], n, width)
    gamma = vector(room.flat, room.affine + 2 * depth * room.width, width)
    ggamma, gbeta = vector(room.flat, room.nodes[2], width), vector(room.flat, room.nodes[3], width)
    along, sums = vector(room.flat, room.nodes[4], width), vector(room.flat, room.nodes[5], width)
    scale = vector(room.flat, room.nodes[0], width)
    zero(ggamma)
    zero(gbeta)
    _drop(gy, mask, depth, places)
    if kind.norm_first:
        _mask(gy, y)
    if kind.norm == BATCH:
        part = n // parts
        for q in range(parts):
            mean, std, r, d, _, _ = statistics(room, depth, q, width)
            normal.backward(
                gy, z, q * part, (q + 1) * part, mean, std, r, d, gamma, scale, along, sums, gz, ggamma, gbeta
            )
    elif kind.norm == LAYER:
        mean, std = rows(room, depth)
        normal.layer_backward(gy, z, mean, std, gamma, gz, ggamma, gbeta)
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
            if kind.mean_gradient:
                ggamma[0] /= width
                gbeta[0] /= width
        at, lr, none = places.layers[depth, AFFINE], limits[3], p.dtype.type(0)
        update_all(at, vector(ggamma, 0, size), lr, none, none, kind, numbers, p, state, other_state)
        update_all(at + size, vector(gbeta, 0, size), lr, none, none, kind, numbers, p, state, other_state)


@inlined
def update_all(at, g, lr, l2, l1, kind, numbers, p, state, other_state):
    """Update the parameters from `at` by their gradient g."""
    a, b, eps = numbers.a, numbers.b, numbers.optimizer_eps
    update.part(kind.optimizer, p, at, g, state, other_state, lr, a, b, eps, l2, l1)


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
    flat = vector(x, 0, x.size)
    for i in range(len(flat)):
        if flat[i] < 0:  # NaN stays
            flat[i] = 0


@inlined
def _mask(g, out):
    g, out = vector(g, 0, g.size), vector(out, 0, g.size)
    for i in range(len(g)):
        if out[i] <= 0:
            g[i] = 0
