"""One optimizer's update of some parameters, as Chainer's update rules have it."""

import numpy as np

from bnrenorm.fused.compiled import inlined
from bnrenorm.fused.views import vector

SGD, MOMENTUM, ADAM, RMSPROP = range(4)
KINDS = {"sgd": SGD, "momentum_sgd": MOMENTUM, "adam": ADAM, "rmsprop": RMSPROP}


@inlined
def part(kind, p, at, g, first, second, lr, a, b, eps, l2, l1):
    """Update p from `at` by its gradient g (D,), which is overwritten, and the optimizer's states first and second.

    momentum_sgd: a is the momentum, first the velocity. adam: a = 1 - beta1, b = 1 - beta2, lr is alpha_t. rmsprop:
    a = alpha, first the mean square. l2 p + l1 sign(p) is added to the gradient.
    """
    size = len(g)
    p = vector(p, at, size)
    if l2 != 0 or l1 != 0:
        for j in range(size):
            g[j] += l2 * p[j] + l1 * np.sign(p[j])
    if kind == SGD:
        for j in range(size):
            p[j] -= lr * g[j]
        return
    first = vector(first, at, size)
    if kind == MOMENTUM:
        for j in range(size):
            v = a * first[j] - lr * g[j]
            first[j] = v
            p[j] += v
    elif kind == ADAM:
        second = vector(second, at, size)
        for j in range(size):
            m = first[j] + a * (g[j] - first[j])
            v = second[j] + b * (g[j] * g[j] - second[j])
            first[j], second[j] = m, v
            p[j] -= lr * m / (np.sqrt(v) + eps)
    else:
        for j in range(size):
            v = a * first[j] + (g.dtype.type(1) - a) * g[j] * g[j]
            first[j] = v
            p[j] -= lr * g[j] / (np.sqrt(v) + eps)
