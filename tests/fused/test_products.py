"""The fused products and updates against NumPy and Chainer's own update rules."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.fused import blas, products, update


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 100])
@pytest.mark.parametrize(("width", "depth"), [(1, 1), (7, 3), (400, 784)])
def test_products(rng, n, width, depth, dtype):
    x, w, b, gy = (rng.normal(size=shape).astype(dtype) for shape in ((n, depth), (width, depth), width, (n, width)))
    y, gx, gw = np.empty((n, width), dtype), np.empty((n, depth), dtype), np.ones((width, depth), dtype)
    products.forward(x, w, b, y)
    blas.inputs(gy, w, gx)
    rtol = 1e-5 if dtype is np.float32 else 1e-12
    for got, want in ((y, x @ w.T + b), (gx, gy @ w)):
        assert_allclose(got, want, rtol=rtol, atol=rtol * 100)
    for add in (0, 1):
        blas.weights(gy, x, gw, add)
        assert_allclose(gw, (1 + add) * gy.T @ x, rtol=rtol, atol=rtol * 100)


RULES = {
    "sgd": (chainer.optimizers.SGD(lr=0.1), (0, 0, 0)),
    "momentum_sgd": (chainer.optimizers.MomentumSGD(lr=0.1, momentum=0.7), (0.7, 0, 0)),
    "adam": (chainer.optimizers.Adam(alpha=0.1, beta1=0.8, beta2=0.95, eps=1e-6), (0.2, 0.05, 1e-6)),
    "rmsprop": (chainer.optimizers.RMSprop(lr=0.1, alpha=0.9, eps=1e-6), (0.9, 0, 1e-6)),
}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_updates_are_chainers(rng, kind, decay):
    optimizer, numbers = RULES[kind]
    parameter = chainer.Parameter(rng.normal(size=13).astype(np.float32))
    p = parameter.array.copy()
    first, second = np.zeros(13, np.float32), np.zeros(13, np.float32)
    rule = optimizer.create_update_rule()
    rule.add_hook(chainer.optimizer_hooks.WeightDecay(decay))
    for t in range(1, 6):
        g = rng.normal(size=13).astype(np.float32)
        parameter.grad = g.copy()
        rule.update(parameter)
        lr = 0.1 * (np.sqrt(1 - 0.95**t) / (1 - 0.8**t) if kind == "adam" else 1)
        a, b, eps = map(np.float32, numbers)
        update.row(update.KINDS[kind], p, g, first, second, np.float32(lr), a, b, eps, np.float32(decay))
        assert_allclose(p, parameter.array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", range(1, 9))
def test_momentum_in_one_pass_with_the_product(rng, n):
    gy, x = rng.normal(size=(n, 5)).astype(np.float32), rng.normal(size=(n, 37)).astype(np.float32)
    p, velocity = rng.normal(size=37).astype(np.float32), rng.normal(size=37).astype(np.float32)
    want = np.float32(0.9) * velocity - np.float32(0.1) * (gy.T @ x)[2]
    moved = p + want
    update.momentum_row(p, velocity, gy, x, 2, np.empty(37, np.float32), np.float32(0.1), np.float32(0.9))
    assert_allclose(velocity, want, rtol=1e-5, atol=1e-5)
    assert_allclose(p, moved, rtol=1e-5, atol=1e-5)
