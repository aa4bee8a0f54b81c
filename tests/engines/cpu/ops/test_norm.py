"""The compiled normalisation, in both dtypes, against the formulas in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines import spec
from bnrenorm.engines.cpu.ops import norm
from bnrenorm.norm import formulas
from bnrenorm.norm.semantics import SEMANTICS
from tests import oracle
from tests.engines.cpu.entry import entries

pytestmark = pytest.mark.slow

inner = entries(norm)
SIZES = [(1, 7), (2, 1), (3, 400), (100, 50), (60_000, 3)]
KINDS = ["plain", "far", "constant", "denormal"]


def batch(rng, n, width, kind, dtype):
    x = rng.normal(0.5, 2, (n, width))
    if kind == "far":
        x = rng.normal(1e4, 1, (n, width))
    elif kind == "constant":
        x[:, ::2] = 3.25
    elif kind == "denormal":
        x *= 1e-40
    return x.astype(dtype)


def scratch(width, dtype, count):
    return [np.empty(width, dtype) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "width"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments(rng, n, width, kind, dtype):
    x = batch(rng, n, width, kind, dtype)
    mean, var = scratch(width, dtype, 2)
    inner.moments(x, 0, n, mean, var, np.empty(width))
    want_mean, want_var = formulas.moments(x[None].astype(np.float64))
    rtol = 1e-4 if dtype is np.float32 else 1e-10
    assert_allclose(mean, want_mean[0, 0], rtol=1e-6, atol=1e-9)
    assert_allclose(var, want_var[0, 0], rtol=rtol, atol=1e-12)
    if kind == "constant":
        assert (var[::2] == 0).all()


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize(("n", "width"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_and_backward(rng, n, width, kind, dtype):
    x = batch(rng, n, width, kind, dtype)
    gy = rng.normal(size=(n, width)).astype(dtype)
    gamma, beta, run_mean = (rng.normal(size=width).astype(dtype) for _ in range(3))
    run_std = rng.uniform(0.5, 2, width).astype(dtype)
    mean, var = (moment[0, 0].astype(dtype) for moment in formulas.moments(x[None].astype(np.float64)))
    std = np.sqrt(var + dtype(1e-5))
    r, d, scale, shift, sum_dy_xmu, sum_dy = scratch(width, dtype, 6)
    inner.corrections(mean, std, run_mean, run_std, dtype(1.5), dtype(0.3), r, d)
    y, gx = np.empty_like(x), np.empty_like(x)
    inner.forward(x, 0, n, mean, std, r, d, gamma, beta, scale, shift, y)
    ggamma, gbeta = np.zeros(width, dtype), np.zeros(width, dtype)
    inner.backward(gy, x, 0, n, mean, std, r, d, gamma, scale, sum_dy_xmu, sum_dy, gx, ggamma, gbeta)

    def wide(*arrays):
        return [array.astype(np.float64).reshape(1, -1, width) for array in arrays]

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


def test_running_statistics_close_to_0_correct_as_others_do():
    mean, std = np.array([2e-6, 3e-6], np.float32), np.array([3e-6, 1.5e-6], np.float32)
    run_mean, run_std = np.full(2, 1e-6, np.float32), np.full(2, 2e-6, np.float32)
    r, d = scratch(2, np.float32, 2)
    inner.corrections(mean, std, run_mean, run_std, np.float32(3), np.float32(5), r, d)
    assert_allclose([r, d], [[1.5, 0.75], [0.5, 1]], rtol=1e-6)


def test_the_running_std_is_inverted_once(rng):
    """One quotient and two products, on every processor."""
    mean, std, run_mean, run_std = (np.abs(rng.normal(size=400)).astype(np.float32) for _ in range(4))
    r, d = scratch(400, np.float32, 2)
    inner.corrections(mean, std, run_mean, run_std, np.float32(1e9), np.float32(1e9), r, d)
    inverse = 1 / run_std
    assert (r == std * inverse).all()
    assert (d == (mean - run_mean) * inverse).all()


def test_nan_is_not_clipped_away():
    nan, one = np.full(3, np.nan, np.float32), np.ones(3, np.float32)
    r, d = scratch(3, np.float32, 2)
    inner.corrections(nan, nan, one, one, np.float32(3), np.float32(5), r, d)
    assert np.isnan([r, d]).all()


@pytest.mark.parametrize(("n", "width"), [(1, 7), (3, 400), (100, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layer_normalisation_is_batch_normalisation_of_the_transpose(rng, n, width, dtype):
    x, gy = (rng.normal(2, 3, (n, width)).astype(dtype) for _ in range(2))
    gamma, beta = (rng.normal(size=width).astype(dtype) for _ in range(2))
    mean, std = scratch(n, dtype, 2)
    y, gx = np.empty_like(x), np.empty_like(x)
    ggamma, gbeta = np.zeros(width, dtype), np.zeros(width, dtype)
    inner.layer_forward(x, dtype(1e-5), gamma, beta, mean, std, y)
    inner.layer_backward(gy, x, mean, std, gamma, gx, ggamma, gbeta)
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


@pytest.mark.parametrize("affine", [spec.NODE, spec.SHARED])
@pytest.mark.parametrize("offset", [-1, 2])
def test_gamma_and_beta_are_read_for_every_node(affine, offset):
    p, (gamma, beta) = np.arange(20, dtype=np.float32), np.empty((2, 3), np.float32)
    inner.read_affine(p, offset, affine, gamma, beta)
    if offset < 0:
        assert (list(gamma), list(beta)) == ([1, 1, 1], [0, 0, 0])
    elif affine == spec.NODE:
        assert (list(gamma), list(beta)) == ([2, 3, 4], [5, 6, 7])
    else:
        assert (list(gamma), list(beta)) == ([2, 2, 2], [3, 3, 3])


@pytest.mark.parametrize("semantics", SEMANTICS)
@pytest.mark.parametrize("n", [1, 2, 50])
def test_running_statistics_are_kept_as_the_semantics_say(semantics, n):
    rule, track_std, var, eps = SEMANTICS[semantics], int(semantics == "paper"), 2.5, 1e-3
    scale = norm.tracked_scale.py_func(var, (var + eps) ** 0.5, norm.bessel.py_func(n), track_std)
    assert scale == pytest.approx(rule.keep(var, n, eps), rel=1e-12)
    assert norm.running_std.py_func(scale, eps, track_std) == pytest.approx(rule.std(scale, eps), rel=1e-12)


def test_the_moving_average_has_its_closed_form():
    means = [[1.0, 3.0], [5.0, 2.0], [0.0, 0.5]]  # of two micro-batches in each of three steps
    value = 4.0
    for step in means:
        value = norm.moving_average.py_func(value, sum(step), 2.0, (1 - 0.9) / 2.0)
    assert value == pytest.approx(oracle.running(4.0, [sum(step) / 2 for step in means], 0.9), rel=1e-12)


def test_a_micro_batch_leaves_other_rows_alone(rng):
    x = rng.normal(size=(6, 2))
    mean, var, r, d, gamma, beta, unused, other = (np.ones(2) for _ in range(8))
    inner.moments(x, 2, 5, mean, var, np.empty(2))
    assert_allclose(mean, x[2:5].mean(axis=0))
    assert_allclose(var, x[2:5].var(axis=0))
    y = np.full((6, 2), 7.0)
    inner.forward(x, 2, 5, mean, np.sqrt(var), r, 0 * d, gamma, 0 * beta, unused, other, y)
    assert_allclose(y[2:5].std(axis=0), 1)
    assert (y[[0, 1, 5]] == 7).all()
