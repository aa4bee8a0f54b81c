"""The fused normalisation against the formulas, in the dtype that is tested and in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.fused.entry import entries

from bnrenorm.engines.cpu.ops import norm as inner
from bnrenorm.norm import formulas

normal = entries(inner)
SIZES = [(1, 7), (2, 1), (3, 400), (100, 50), (60_000, 3)]
KINDS = ["plain", "far", "constant", "denormal"]


def batch(rng, n, width, spec, dtype):
    x = rng.normal(0.5, 2, (n, width))
    if spec == "far":
        x = rng.normal(1e4, 1, (n, width))
    elif spec == "constant":
        x[:, ::2] = 3.25
    elif spec == "denormal":
        x *= 1e-40
    return x.astype(dtype)


def room(width, dtype, count):
    return [np.empty(width, dtype) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "width"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments(rng, n, width, spec, dtype):
    x = batch(rng, n, width, spec, dtype)
    mean, var = room(width, dtype, 2)
    normal.moments(x, 0, n, mean, var, np.empty(width))
    want_mean, want_var = formulas.moments(x[None].astype(np.float64))
    rtol = 1e-4 if dtype is np.float32 else 1e-10
    assert_allclose(mean, want_mean[0, 0], rtol=1e-6, atol=1e-9)
    assert_allclose(var, want_var[0, 0], rtol=rtol, atol=1e-12)
    if spec == "constant":
        assert (var[::2] == 0).all()


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize(("n", "width"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_and_backward(rng, n, width, spec, dtype):
    x = batch(rng, n, width, spec, dtype)
    gy = rng.normal(size=(n, width)).astype(dtype)
    gamma, beta, run_mean = (rng.normal(size=width).astype(dtype) for _ in range(3))
    run_std = rng.uniform(0.5, 2, width).astype(dtype)
    mean, var = (each[0, 0].astype(dtype) for each in formulas.moments(x[None].astype(np.float64)))
    std = np.sqrt(var + dtype(1e-5))
    r, d, scale, shift, along, sums = room(width, dtype, 6)
    normal.corrections(mean, std, run_mean, run_std, dtype(1.5), dtype(0.3), r, d)
    y, gx = np.empty_like(x), np.empty_like(x)
    normal.forward(x, 0, n, mean, std, r, d, gamma, beta, scale, shift, y)
    ggamma, gbeta = np.zeros(width, dtype), np.zeros(width, dtype)
    normal.backward(gy, x, 0, n, mean, std, r, d, gamma, scale, along, sums, gx, ggamma, gbeta)

    def wide(*arrays):
        return [each.astype(np.float64).reshape(1, -1, width) for each in arrays]

    statistics = wide(mean, std)
    want_r, want_d = formulas.corrections(*statistics, *wide(run_mean, run_std), 1.5, 0.3)
    want_y = formulas.forward(*wide(x, gamma, beta), *statistics, want_r, want_d)
    want_gx, want_ggamma, want_gbeta = formulas.backward(*wide(gy, x, gamma), *statistics, want_r, want_d)
    rtol = 1e-4 if dtype is np.float32 else 1e-9
    for got, want in ((r, want_r), (d, want_d), (y, want_y)):
        assert_allclose(got, want[0].reshape(got.shape), rtol=rtol, atol=rtol * np.abs(want).max())
    size = np.sqrt(n) * np.abs(want_gx).max()
    assert_allclose(gx, want_gx[0], rtol=rtol, atol=rtol * size + 1e-12)
    for got, want in ((ggamma, want_ggamma), (gbeta, want_gbeta)):
        assert_allclose(got, want[0, 0], rtol=rtol, atol=rtol * np.abs(gy).sum(axis=0).max())


def test_nan_is_not_clipped_away():
    nan, one = np.full(3, np.nan, np.float32), np.ones(3, np.float32)
    r, d = room(3, np.float32, 2)
    normal.corrections(nan, nan, one, one, np.float32(3), np.float32(5), r, d)
    assert np.isnan([r, d]).all()


@pytest.mark.parametrize(("n", "width"), [(1, 7), (3, 400), (100, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layer_normalisation_is_batch_normalisation_of_the_transpose(rng, n, width, dtype):
    x, gy = (rng.normal(2, 3, (n, width)).astype(dtype) for _ in range(2))
    gamma, beta = (rng.normal(size=width).astype(dtype) for _ in range(2))
    mean, std = room(n, dtype, 2)
    y, gx = np.empty_like(x), np.empty_like(x)
    ggamma, gbeta = np.zeros(width, dtype), np.zeros(width, dtype)
    normal.layer_forward(x, dtype(1e-5), gamma, beta, mean, std, y)
    normal.layer_backward(gy, x, mean, std, gamma, gx, ggamma, gbeta)
    turned, gturned = x.T[None].astype(np.float64), (gy * gamma).T[None].astype(np.float64)
    want_mean, want_var = formulas.moments(turned)
    one, zero = np.ones((1, 1, n)), np.zeros((1, 1, n))
    want_std = np.sqrt(want_var + 1e-5)
    hat = formulas.forward(turned, one, zero, want_mean, want_std, one, zero)[0].T
    want_gx = formulas.backward(gturned, turned, one, want_mean, want_std, one, zero)[0][0].T
    rtol = 1e-4 if dtype is np.float32 else 1e-9
    assert_allclose(y, hat * gamma + beta, rtol=rtol, atol=rtol)
    assert_allclose(gx, want_gx, rtol=rtol, atol=rtol * np.abs(want_gx).max())
    assert_allclose(ggamma, (gy * hat).sum(axis=0), rtol=rtol, atol=10 * rtol)
    assert_allclose(gbeta, gy.sum(axis=0), rtol=rtol, atol=10 * rtol)
