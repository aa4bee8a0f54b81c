"""One optimizer's update of some parameters, as Chainer's update rules have it."""

import numpy as np

from bnrenorm.fused.compiled import inlined

SGD, MOMENTUM, ADAM, RMSPROP = range(4)
KINDS = {"sgd": SGD, "momentum_sgd": MOMENTUM, "adam": ADAM, "rmsprop": RMSPROP}


@inlined
def part(kind, p, at, g, first, second, lr, a, b, eps, l2, l1):
    """Update p from `at` by its gradient g (D,), which is overwritten, and the optimizer's states first and second.

    momentum_sgd: a is the momentum, first the velocity. adam: a = 1 - beta1, b = 1 - beta2, lr is alpha_t. rmsprop:
    a = alpha, first the mean square. l2 p + l1 sign(p) is added to the gradient.
    """
    if l2 != 0 or l1 != 0:
        for j in range(len(g)):
            g[j] += l2 * p[at + j] + l1 * np.sign(p[at + j])
    if kind == SGD:
        for j in range(len(g)):
            p[at + j] -= lr * g[j]
    elif kind == MOMENTUM:
        for j in range(len(g)):
            v = a * first[at + j] - lr * g[j]
            first[at + j] = v
            p[at + j] += v
    elif kind == ADAM:
        for j in range(len(g)):
            m = first[at + j] + a * (g[j] - first[at + j])
            v = second[at + j] + b * (g[j] * g[j] - second[at + j])
            first[at + j], second[at + j] = m, v
            p[at + j] -= lr * m / (np.sqrt(v) + eps)
    else:
        for j in range(len(g)):
            v = a * first[at + j] + (g.dtype.type(1) - a) * g[j] * g[j]
            first[at + j] = v
            p[at + j] -= lr * g[j] / (np.sqrt(v) + eps)
