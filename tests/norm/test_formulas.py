from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.norm import formulas
from tests import oracle

R, N, D = 3, 6, 4
EPS = 1e-3
LIMITS = [(1.0, 0.0), (3.0, 5.0), (1.2, 0.3)]  # off, loose, clipping


def case(rng, dtype=np.float64, n=N):
    def column(values):
        return values.astype(dtype)

    return SimpleNamespace(
        x=column(rng.normal(3, 2, (R, n, D))),
        gy=column(rng.normal(size=(R, n, D))),
        gamma=column(rng.normal(1, 0.3, (R, 1, D))),
        beta=column(rng.normal(size=(R, 1, D))),
        run_mean=column(rng.normal(size=(R, 1, D))),
        run_std=column(rng.uniform(0.1, 4, (R, 1, D))),
    )


def statistics(c, r_max, d_max):
    mean, var = formulas.moments(c.x)
    std = np.sqrt(var + c.x.dtype.type(EPS))
    return mean, std, *formulas.corrections(mean, std, c.run_mean, c.run_std, r_max, d_max)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("n", [1, 2, 3, 5000])
def test_moments_agree_with_the_oracle(rng, dtype, rtol, n):
    x = rng.normal(3, 2, (R, n, D)).astype(dtype)
    mean, var = formulas.moments(x)
    assert mean.dtype == var.dtype == dtype
    assert mean.shape == var.shape == (R, 1, D)
    for i, j in np.ndindex(R, D):
        want = oracle.moments([float(v) for v in x[i, :, j]])
        assert_allclose([mean[i, 0, j], var[i, 0, j]], want, rtol=rtol, atol=1e-12)


def test_variance_survives_a_mean_that_is_ten_thousand_times_larger(rng):
    x = rng.normal(1e4, 1, (1, 60_000, 3)).astype(np.float32)
    _, var = formulas.moments(x)
    assert_allclose(var[0, 0], [oracle.moments([float(v) for v in x[0, :, j]])[1] for j in range(3)], rtol=1e-4)


def test_the_variance_of_many_examples_keeps_the_digits_of_float32(rng):
    """One sum of 60,000 squares in float32 would lose two of them."""
    x = rng.normal(3, 2, (1, 60_000, 3)).astype(np.float32)
    _, var = formulas.moments(x)
    assert_allclose(var[0, 0], [oracle.moments([float(v) for v in x[0, :, j]])[1] for j in range(3)], rtol=2e-6)


@pytest.mark.parametrize(("r_max", "d_max"), LIMITS)
def test_forward_agrees_with_the_oracle(rng, r_max, d_max):
    c = case(rng)
    y = formulas.forward(c.x, c.gamma, c.beta, *statistics(c, r_max, d_max))
    for i, j in np.ndindex(R, D):
        vectors = (c.gamma, c.beta, c.run_mean, c.run_std)
        want = oracle.renorm_column(list(c.x[i, :, j]), *(v[i, 0, j] for v in vectors), r_max, d_max, EPS)
        assert_allclose(y[i, :, j], want, rtol=1e-10)


@pytest.mark.parametrize(("r_max", "d_max"), LIMITS)
def test_backward_agrees_with_the_oracle(rng, r_max, d_max):
    c = case(rng)
    mean, std, r, d = statistics(c, r_max, d_max)
    gx, ggamma, gbeta = formulas.backward(c.gy, c.x, c.gamma, mean, std, r, d)
    for i, j in np.ndindex(R, D):
        columns = list(c.gy[i, :, j]), list(c.x[i, :, j])
        want = oracle.renorm_column_gradient(*columns, c.gamma[i, 0, j], r[i, 0, j], d[i, 0, j], EPS)
        assert_allclose(gx[i, :, j], want[0], rtol=1e-8, atol=1e-12)
        assert_allclose([ggamma[i, 0, j], gbeta[i, 0, j]], want[1:], rtol=1e-10)


@pytest.mark.parametrize(("r_max", "d_max"), LIMITS)
def test_gradient_is_orthogonal_to_shift_and_scale_of_the_batch(rng, r_max, d_max):
    """With eps -> 0 the output does not change when the batch is shifted or scaled. [BRN17, sec. 3]"""
    c = case(rng, n=50)
    mean, var = formulas.moments(c.x)
    std = np.sqrt(var)
    r, d = formulas.corrections(mean, std, c.run_mean, c.run_std, r_max, d_max)
    gx, _, _ = formulas.backward(c.gy, c.x, c.gamma, mean, std, r, d)
    assert_allclose(gx.sum(axis=1), 0, atol=1e-12)
    assert_allclose((gx * c.x).sum(axis=1), 0, atol=1e-12)


def test_limits_one_and_zero_are_batch_normalisation_to_the_bit(rng):
    c = case(rng, np.float32)
    mean, std, r, d = statistics(c, np.float32(1), np.float32(0))
    assert (r == 1).all()
    assert (d == 0).all()
    assert_allclose(
        formulas.forward(c.x, c.gamma, c.beta, mean, std, r, d), c.gamma * (c.x - mean) / std + c.beta, 1e-5
    )


def test_limits_are_one_per_replica(rng):
    c = case(rng)
    r_max, d_max = (np.array(v).reshape(R, 1, 1) for v in ([1, 1.2, 3], [0, 0.3, 5]))
    together = statistics(c, r_max, d_max)[2:]
    for i in range(R):
        alone = statistics(c, r_max[i, 0, 0], d_max[i, 0, 0])[2:]
        for got, want in zip(together, alone, strict=True):
            assert (got[i] == want[i]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_dtype_of_x_and_no_input_is_modified(rng, dtype):
    c = case(rng, dtype)
    before = {name: value.copy() for name, value in vars(c).items()}
    found = statistics(c, dtype(1.2), dtype(0.3))
    results = [*found, formulas.forward(c.x, c.gamma, c.beta, *found)]
    results += formulas.backward(c.gy, c.x, c.gamma, *found)
    assert {value.dtype for value in results} == {np.dtype(dtype)}
    for name, value in before.items():
        assert (getattr(c, name) == value).all()


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_moving_average_has_its_closed_form(rng, steps):
    values = rng.normal(size=steps)
    average = 7.0
    for value in values:
        average = formulas.moving_average(average, value, 0.9)
    assert_allclose(average, oracle.running(7.0, list(values), 0.9), rtol=1e-12)


def test_moving_average_keeps_a_constant_and_copies_with_decay_zero():
    assert formulas.moving_average(3.0, 3.0, 0.99) == 3.0
    assert formulas.moving_average(100.0, 3.0, 0.0) == 3.0


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_a_gpu_sums_in_one_kernel_each_without_products_of_its_own(fake_cupy, rng, dtype, rtol):
    c = case(rng, dtype, n=300)
    want = formulas.moments(c.x)
    on_gpu = SimpleNamespace(**{name: fake_cupy.wrap(value) for name, value in vars(c).items()})
    mean, var = formulas.moments(on_gpu.x)
    assert fake_cupy.calls == ["bnrenorm_sum"]
    assert_allclose(mean.array, want[0], rtol=rtol)
    assert_allclose(var.array, want[1], rtol=rtol)
    _, std, r, d = statistics(c, 3.0, 5.0)
    gradients = formulas.backward(c.gy, c.x, c.gamma, want[0], std, r, d)
    got = formulas.backward(on_gpu.gy, on_gpu.x, on_gpu.gamma, mean, *map(fake_cupy.wrap, (std, r, d)))
    assert fake_cupy.calls == ["bnrenorm_sum"] * 2
    for a, b in zip(got, gradients, strict=True):
        assert_allclose(
            a.array, b, rtol=1e-3 if dtype == np.float32 else 1e-9, atol=1e-5 if dtype == np.float32 else 1e-12
        )


@pytest.mark.gpu
@pytest.mark.parametrize("n", [1, 7, 5000])
def test_the_kernels_of_a_gpu_agree_with_the_oracle(rng, n):
    import cupy

    x = rng.normal(1e3, 2, (R, n, D)).astype(np.float32)
    mean, var = formulas.moments(cupy.asarray(x))
    dot = formulas._column_dot(cupy.asarray(x), cupy.asarray(x[::-1]))
    assert mean.dtype == var.dtype == dot.dtype == np.float32
    assert mean.shape == var.shape == dot.shape == (R, 1, D)
    for i, j in np.ndindex(R, D):
        want = oracle.moments([float(v) for v in x[i, :, j]])
        assert_allclose([mean.get()[i, 0, j], var.get()[i, 0, j]], want, rtol=1e-4, atol=1e-6)
    assert_allclose(dot.get()[:, 0], (x.astype(float) * x[::-1]).sum(axis=1), rtol=1e-6)
