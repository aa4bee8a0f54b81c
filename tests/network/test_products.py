"""Products of stacked matrices: NumPy's, and how cuBLAS is asked for them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.network.products import product

R, M, K, N = 3, 4, 5, 2
CASES = [
    pytest.param(shared, transposed, id=f"{shared or 'none'} shared, {transposed or 'none'} transposed")
    for shared in ("", "a", "b")
    for transposed in ("", "a", "b", "ab")
]


def case(rng, shared, transposed, dtype):
    """Return matrices a and b as they are stored, the flags, and their products by the definition."""
    a, b = (rng.normal(size=(R, *shape)).astype(dtype) for shape in ((M, K), (K, N)))
    a, b = a[:1] if "a" in shared else a, b[:1] if "b" in shared else b
    want = np.stack([a[i % len(a)] @ b[i % len(b)] for i in range(R)])
    stored = [np.ascontiguousarray(x.swapaxes(1, 2)) if name in transposed else x for name, x in (("a", a), ("b", b))]
    a, b = (x[0] if name in shared else x for name, x in zip("ab", stored, strict=True))
    return a, b, {"transpose_a": "a" in transposed, "transpose_b": "b" in transposed}, want


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shared", "transposed"), CASES)
def test_every_replica_has_its_own_product(rng, shared, transposed, dtype):
    a, b, flags, want = case(rng, shared, transposed, dtype)
    got = product(a, b, **flags)
    assert got.dtype == dtype
    assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shared", "transposed"), CASES)
def test_cublas_is_asked_for_all_of_them_at_once(fake_cupy, rng, shared, transposed, dtype):
    a, b, flags, want = case(rng, shared, transposed, dtype)
    got = product(fake_cupy.wrap(a), fake_cupy.wrap(b), **flags)
    assert (got.shape, got.dtype) == ((R, M, N), dtype)
    assert_allclose(got.array, want, rtol=1e-5, atol=1e-6)
    assert fake_cupy.calls == ["gemm"]


def test_the_product_of_nothing_is_nothing(fake_cupy):
    a, b = (fake_cupy.wrap(np.zeros(shape, np.float32)) for shape in ((2, 0, 3), (2, 3, 4)))
    assert product(a, b).shape == (2, 0, 4)
    assert product(a, b[:, :, :0]).shape == (2, 0, 0)
    assert (product(b[:, :0], a, transpose_a=True).array == 0).all()
    assert fake_cupy.calls == []


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shared", "transposed"), CASES)
def test_a_gpu_agrees(rng, shared, transposed, dtype):
    import cupy

    a, b, flags, want = case(rng, shared, transposed, dtype)
    got = product(cupy.asarray(a), cupy.asarray(b), **flags)
    assert_allclose(got.get(), want, rtol=1e-5, atol=1e-6)
