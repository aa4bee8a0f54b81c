"""One optimizer's update of a row of parameters, as Chainer's update rules have it."""

import numpy as np

from bnrenorm.fused.compiled import inlined

SGD, MOMENTUM, ADAM, RMSPROP = range(4)
KINDS = {"sgd": SGD, "momentum_sgd": MOMENTUM, "adam": ADAM, "rmsprop": RMSPROP}


@inlined
def row(kind, p, g, first, second, lr, a, b, eps, decay):
    """Update p (D,) by its gradient g (D,), which is overwritten, and the optimizer's states first and second (D,).

    momentum_sgd: a is the momentum, first the velocity. adam: a = 1 - beta1, b = 1 - beta2, lr is alpha_t. rmsprop:
    a = alpha, first the mean square. decay is added to the gradient as decay p.
    """
    width = len(p)
    if decay != 0:
        for j in range(width):
            g[j] += decay * p[j]
    if kind == SGD:
        for j in range(width):
            p[j] -= lr * g[j]
    elif kind == MOMENTUM:
        for j in range(width):
            v = a * first[j] - lr * g[j]
            first[j] = v
            p[j] += v
    elif kind == ADAM:
        for j in range(width):
            first[j] += a * (g[j] - first[j])
            second[j] += b * (g[j] * g[j] - second[j])
            p[j] -= lr * first[j] / (np.sqrt(second[j]) + eps)
    else:
        for j in range(width):
            first[j] = a * first[j] + (p.dtype.type(1) - a) * g[j] * g[j]
            p[j] -= lr * g[j] / (np.sqrt(first[j]) + eps)

