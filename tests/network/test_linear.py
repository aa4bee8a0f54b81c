import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import L, chainer
from bnrenorm.network.linear import StackedLinear, stacked_linear

R, N, D, K = 3, 5, 4, 2


@pytest.mark.parametrize("shared", [True, False])
def test_numerical_gradient(rng, shared):
    from chainer import gradient_check

    x = rng.normal(size=(N, D) if shared else (R, N, D))
    inputs = (x, rng.normal(size=(R, K, D)), rng.normal(size=(R, 1, K)))
    gradient_check.check_backward(stacked_linear, inputs, rng.normal(size=(R, N, K)), atol=1e-6, dtype=np.float64)


def test_each_replica_is_chainers_linear_layer(rng):
    link = StackedLinear(rng.normal(size=(R, K, D)).astype(np.float32))
    link.b.array[...] = rng.normal(size=(R, 1, K))
    x = rng.normal(size=(R, N, D)).astype(np.float32)
    y = link(x).array
    for i in range(R):
        stock = L.Linear(D, K, initialW=link.W.array[i], initial_bias=link.b.array[i, 0])
        assert_allclose(y[i], stock(x[i]).array, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (3, 7, 10), (501, 784, 40)])
def test_a_replica_does_not_depend_on_its_companions(rng, n, d, k):
    x, gy = rng.normal(size=(n, d)).astype(np.float32), rng.normal(size=(R, n, k)).astype(np.float32)
    weights = rng.normal(size=(R, k, d)).astype(np.float32)
    together = run(StackedLinear(weights), x, gy)
    for i in range(R):
        for got, want in zip(together, run(StackedLinear(weights[i : i + 1]), x, gy[i : i + 1]), strict=True):
            assert (got[i] == want[0]).all()


def run(link, x, gy):
    y = link(x)
    y.grad = gy
    y.backward()
    return y.array, link.W.grad, link.b.grad


def test_a_second_derivative_is_refused_in_words(rng):
    link, x = StackedLinear(rng.normal(size=(R, K, D))), chainer.Variable(rng.normal(size=(R, N, D)))
    link.b.array = link.b.array.astype(np.float64)
    (gx,) = chainer.grad([link(x)], [x], [chainer.Variable(np.ones((R, N, K)))], enable_double_backprop=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        chainer.grad([chainer.functions.sum(gx * gx)], [x])


def test_shapes_are_checked(rng):
    link = StackedLinear(rng.normal(size=(R, K, D)).astype(np.float32))
    with pytest.raises(chainer.utils.type_check.InvalidType):
        link(np.zeros((N, D + 1), np.float32))
