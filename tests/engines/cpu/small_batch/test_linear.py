"""The fused products and updates against NumPy and Chainer's own update rules."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.fused.entry import entries

from bnrenorm._compat import chainer
from bnrenorm.engines.cpu.codegen import blas as inner_blas
from bnrenorm.engines.cpu.ops import optimizer as inner_update
from bnrenorm.engines.cpu.small_batch import linear as inner_products

blas, products, update = map(entries, (inner_blas, inner_products, inner_update))


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
    by_pixel = np.zeros((depth, width + 3), dtype)
    by_pixel[:, :width] = w.T
    blas.by_pixel(x, by_pixel, y)
    assert_allclose(y, x @ w.T, rtol=rtol, atol=rtol * 100)
    for add in (0, 1):
        blas.weights_by_pixel(gy, x, by_pixel, width, add)
        assert_allclose(by_pixel[:, :width], (1 + add) * x.T @ gy, rtol=rtol, atol=rtol * 100)
    assert (by_pixel[:, width:] == 0).all()


RULES = {
    "sgd": (chainer.optimizers.SGD(lr=0.1), (0, 0, 0)),
    "momentum_sgd": (chainer.optimizers.MomentumSGD(lr=0.1, momentum=0.7), (0.7, 0, 0)),
    "adam": (chainer.optimizers.Adam(alpha=0.1, beta1=0.8, beta2=0.95, eps=1e-6), (0.2, 0.05, 1e-6)),
    "rmsprop": (chainer.optimizers.RMSprop(lr=0.1, alpha=0.9, eps=1e-6), (0.9, 0, 1e-6)),
}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("decays", [(0.0, 0.0), (0.3, 0.0), (0.3, 0.2)])
def test_updates_are_chainers(rng, spec, decays):
    optimizer, numbers = RULES[spec]
    parameter = chainer.Parameter(rng.normal(size=13).astype(np.float32))
    p = parameter.array.copy()
    before = p.copy()
    first, second = np.zeros(13, np.float32), np.zeros(13, np.float32)
    rule = optimizer.create_update_rule()
    rule.add_hook(chainer.optimizer_hooks.WeightDecay(decays[0]))
    rule.add_hook(chainer.optimizer_hooks.Lasso(decays[1]))
    for t in range(1, 6):
        g = rng.normal(size=13).astype(np.float32)
        parameter.grad = g.copy()
        rule.update(parameter)
        lr = 0.1 * (np.sqrt(1 - 0.95**t) / (1 - 0.8**t) if spec == "adam" else 1)
        given = map(np.float32, (lr, *hyper, *decays))
        update.part(inner_update.KINDS[spec], p, 2, g[2:], first, second, *given)
        assert_allclose(p[2:], parameter.array[2:], rtol=1e-5, atol=1e-6)
        assert (p[:2] == before[:2]).all()
