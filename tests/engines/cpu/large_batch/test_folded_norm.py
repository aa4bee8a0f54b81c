"""A normalisation folded into the next layer against the formulas, unfolded."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.large_batch.folded_norm import FoldedNorm, identity
from bnrenorm.engines.spec import KernelSpec
from bnrenorm.norm import formulas

N, D, K = 9, 5, 3


def spec(norm_first):
    return KernelSpec(1, 0, 0, int(norm_first), 0, 0, 0)


def arrays(rng):
    mean, r, d, gamma, beta = rng.normal(size=(5, D))
    return mean, rng.uniform(0.5, 2, D), r, d, gamma, beta


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_next_layers_output_is_that_of_the_normalised_activations(rng, norm_first):
    mean, std, r, d, gamma, beta = arrays(rng)
    norm = FoldedNorm(spec(norm_first), mean, std, r, d, gamma, beta)
    h, w, b = rng.normal(size=(N, D)), rng.normal(size=(K, D)), rng.normal(size=K)
    y = formulas.forward(h[None], gamma, beta, mean, std, r, d)[0]
    applied = (h - norm.norm[0]) * norm.norm[1] + norm.norm[2]
    if norm_first:
        y, applied = np.maximum(y, 0), np.maximum(applied, 0)
    folded_w, folded_b = norm.fold(w, b)
    assert norm.relu is norm_first
    assert_allclose(applied @ folded_w.T + folded_b, y @ w.T + b, rtol=1e-12)
    gz = rng.normal(size=(N, K))
    assert_allclose(norm.unfold(gz.T @ applied, gz.sum(axis=0)), gz.T @ y, rtol=1e-10)


def test_the_factors_are_those_of_the_gradient(rng):
    h, gy = rng.normal(2, 3, (N, D)), rng.normal(size=(N, D))
    _, _, r, d, gamma, beta = arrays(rng)
    mean, std = h.mean(axis=0), np.sqrt(h.var(axis=0) + 1e-3)
    norm = FoldedNorm(spec(True), mean, std, r, d, gamma, beta)
    factors = norm.factors((gy * (h - mean)).sum(axis=0), gy.sum(axis=0), N)
    want, _, _ = formulas.backward(gy[None], h[None], gamma, mean, std, r, d)
    assert_allclose((gy + (h - mean) * factors[0] + factors[1]) * factors[2], want[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_identity_changes_nothing(rng, norm_first):
    norm = identity(spec(norm_first), D, np.float32)
    h, w, b = rng.normal(size=(N, D)), rng.normal(size=(K, D)), rng.normal(size=K)
    assert_allclose((h - norm.norm[0]) * norm.norm[1] + norm.norm[2], h)
    folded_w, folded_b = norm.fold(w, b)
    assert_allclose(h @ folded_w.T + folded_b, h @ w.T + b)
    assert_allclose(norm.factors(np.zeros(D), np.zeros(D), N), [[0] * D, [0] * D, [1] * D])


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_that_kernels_get_is_of_the_parameters_dtype(rng, norm_first, dtype):
    """Else they would be compiled once more, and compute in float64."""
    w, b = rng.normal(size=(K, D)).astype(dtype), rng.normal(size=K).astype(dtype)
    given = (array.astype(dtype) for array in arrays(rng))
    for norm in (FoldedNorm(spec(norm_first), *given), identity(spec(norm_first), D, dtype)):
        found = norm.norm, *norm.fold(w, b), norm.unfold(w, b), norm.factors(w[0], w[1], N)
        assert {array.dtype for array in found} == {np.dtype(dtype)}
