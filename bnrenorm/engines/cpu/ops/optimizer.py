"""One optimizer step for some parameters, as Chainer's update rules define it."""

import numpy as np

from bnrenorm.engines.cpu.codegen.arrays import vector
from bnrenorm.engines.cpu.codegen.decorators import strict_subroutine, subroutine
from bnrenorm.engines.cpu.codegen.products import multiply_add
from bnrenorm.engines.spec import ADAM, MOMENTUM, SGD


@subroutine
def apply_update(optimizer, hyper, p, offset, g, exp_avg, exp_avg_sq, lr, l2, l1):
    """Update p[offset : offset + D] in place from its gradient g (D,), which is overwritten.

    optimizer: one of `engines.spec.CODES`; hyper: `engines.spec.Hyperparams`; p, exp_avg, exp_avg_sq (P,) float:
    parameters, momentum's velocity or Adam's first moment, Adam's or RMSprop's second moment (each empty where the
    optimizer has none); lr: learning rate, for Adam with its bias correction. l2 p + l1 sign(p) is added to the
    gradient.
    """
    size = len(g)
    p = vector(p, offset, size)
    if l2 != 0 or l1 != 0:
        for j in range(size):
            g[j] = _decayed(g[j], p[j], l2, l1)
    if optimizer == SGD:
        for j in range(size):
            p[j] -= lr * g[j]
    elif optimizer == MOMENTUM:
        velocity = vector(exp_avg, offset, size)
        for j in range(size):
            v = _moved(hyper.momentum, velocity[j], lr, g[j])
            velocity[j] = v
            p[j] += v
    elif optimizer == ADAM:
        mean, square = vector(exp_avg, offset, size), vector(exp_avg_sq, offset, size)
        for j in range(size):
            m = mean[j] + hyper.one_minus_beta1 * (g[j] - mean[j])
            v = square[j] + hyper.one_minus_beta2 * (g[j] * g[j] - square[j])
            mean[j], square[j] = m, v
            p[j] -= lr * m / (np.sqrt(v) + hyper.optimizer_eps)
    else:
        square = vector(exp_avg_sq, offset, size)
        for j in range(size):
            v = _mean_square(hyper.alpha, square[j], g[j])
            square[j] = v
            p[j] -= lr * g[j] / (np.sqrt(v) + hyper.optimizer_eps)


@strict_subroutine
def _decayed(g, p, l2, l1):
    """Return the gradient with those of the penalties."""
    return multiply_add(l2, p, g) + l1 * np.sign(p)


@strict_subroutine
def _moved(momentum, velocity, lr, g):
    """Return momentum's new velocity."""
    return multiply_add(momentum, velocity, -lr * g)


@strict_subroutine
def _mean_square(alpha, old, g):
    """Return RMSprop's average of squares, alpha old + (1 - alpha) g^2."""
    new = g * g
    return multiply_add(alpha, old - new, new)
