"""The drop-in links beside Chainer's: both trained on the same batches, and compared."""

import numpy as np
from numpy.testing import assert_allclose

import bnrenorm
from bnrenorm._compat import L, chainer

LIMITS = {"rmax": 1.5, "dmax": 0.5}
PAIRS = {
    "BN": (bnrenorm.BatchNormalization, L.BatchNormalization, {}),
    "BRN": (bnrenorm.BatchRenormalization, L.BatchRenormalization, LIMITS),
}
TOLERANCES = {
    "float16": {"rtol": 2e-2, "atol": 2e-2},
    "float32": {"rtol": 1e-3, "atol": 1e-5},
    "float64": {"rtol": 1e-7, "atol": 1e-9},
}
STATE = ("gamma", "beta", "avg_mean", "avg_var")


def make_ours(**named):
    return bnrenorm.BatchRenormalization(3, **LIMITS, **named)


def batches(rng, shape=(5, 3), count=3, dtype=np.float32):
    return [rng.normal(2, 3, shape).astype(dtype) for _ in range(count)]


def state(link):
    """Return parameters and statistics as arrays; None for a parameter that is not used."""
    return {name: getattr(getattr(link, name), "array", getattr(link, name)) for name in STATE}


def train(link, data, gy=None, call=lambda link, x: link(x)):
    """Return y, gx and the gradients of gamma and beta for each batch, in training mode."""
    results = []
    for batch in data:
        x = chainer.Variable(batch)
        link.cleargrads()
        with chainer.using_config("train", True):
            y = call(link, x)
            y.grad = np.linspace(-1, 1, y.size, dtype=y.dtype).reshape(y.shape) if gy is None else gy
            y.backward()
        grads = [None if parameter is None else parameter.grad for parameter in (link.gamma, link.beta)]
        results.append([y.array, x.grad, *grads])
    return results


def infer(link, x):
    with chainer.using_config("train", False):
        return link(x).array


def assert_alike(got, want, dtype=np.float32):
    """Compare within the errors of a dtype; None equals None."""
    if want is None:
        assert got is None
        return
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert_allclose(got, want, **TOLERANCES[np.dtype(dtype).name])


def assert_trains_alike(ours, stock, data, dtype=np.float32):
    for got, want in zip(train(ours, data), train(stock, data), strict=True):
        for one, other in zip(got, want, strict=True):
            assert_alike(one, other, dtype)
    assert_alike(infer(ours, data[0]), infer(stock, data[0]), dtype)
    for name, want in state(stock).items():
        assert_alike(state(ours)[name], want, dtype)
