"""What the kernels of kernels/small.cu compute: the methods `first` and `middle` of `reference.Reference`."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda.operands import Context, Normalised
from bnrenorm.engines.cuda.parameters import Layer, Tensor, Vector
from bnrenorm.engines.cuda.rows import Mode, divide
from bnrenorm.network.schedule import AFFINE_LR, LR

Array = Any


def first(
    self: Any,
    images: Array,
    index: Array | None,
    following: Array | None,
    context: Context,
    gradient: Array,
    weight: Tensor,
    products: Array,
) -> None:
    """Update the first layer's weights (R, K, D) for one batch, and multiply the next one with them.

    index, following (S, N) or None: the batches. gradient (R, N, K): that of the linear products of the first;
    products (R, N, K) becomes those of the second.
    """
    if index is not None:
        g = np.matmul(gradient.swapaxes(1, 2), images[index[context.seed_of]])
        self.update_weights(weight, g[:, None], context)
    if following is not None:
        np.matmul(images[following[context.seed_of]], weight.value.swapaxes(1, 2), out=products)


def middle(
    self: Any,
    labels: Array,
    index: Array,
    context: Context,
    products: Array,
    gradient: Array,
    layers: list[Layer],
    stats: Array | None,
    sums: Array,
) -> None:
    """Take the rest of a step of a network with one hidden layer, from products to gradient, (R, N, K) each.

    Updates all parameters but the first layer's weights, and the running statistics; adds loss and accuracy to sums
    (R, 2). stats (R, 1, 6, K) gets the statistics.
    """
    spec, (hidden, last) = context.spec, layers
    replicas, n, width = products.shape
    rows, a, h = divide(n), products.copy(), np.empty_like(products)
    stats = np.empty((replicas, 1, 6, width), a.dtype) if stats is None else stats
    moments, coef = np.empty((replicas, 1, 2, width), a.dtype), np.empty((replicas, 1, 3, width), a.dtype)
    self.enter(a, hidden.bias.value, rows, relu=not spec.norm_first, partial=moments)
    if hidden.run is not None:
        self.statistics(moments, rows, Mode.TRAINING, context, hidden.run, stats)
    layer = Normalised(spec, rows, a, stats, None, hidden.affine(), None)
    self.normalise(layer, None, h)
    logits = np.matmul(h, last.weight.value.swapaxes(1, 2))
    partial, gradients = np.empty((replicas, 1, 2)), (np.empty_like(a[:, 0]), np.empty_like(a[:, 0]))
    self.loss(logits, last.bias.value, labels, index, context.seed_of, True, None, partial)
    self.add_losses(partial, n, sums)
    np.matmul(logits, last.weight.value, out=gradient)
    self.update_weights(last.weight, np.matmul(logits.swapaxes(1, 2), h)[:, None], context)
    if hidden.run is not None:
        self.upstream_sums(layer, gradient, h, moments)
        self.coefficients(layer, moments, coef, gradients)
    bias = np.empty((replicas, 1, width), a.dtype)
    self.to_linear(layer, gradient, h, coef, None, bias)
    vectors = [Vector(hidden.bias, bias, LR), Vector(last.bias, logits, LR)]
    if hidden.gamma is not None and hidden.beta is not None:
        tensors = (hidden.gamma, hidden.beta)
        vectors += [Vector(t, g[:, None], AFFINE_LR) for t, g in zip(tensors, gradients, strict=True)]
    self.update_vectors(vectors, context)
