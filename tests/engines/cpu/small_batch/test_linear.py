"""Linear layers against NumPy: small products, and those that are BLAS's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen import blas
from bnrenorm.engines.cpu.small_batch import linear
from tests.engines.cpu.entry import entries

inner = entries(linear)
SIZES = [(1, 1, 1), (2, 7, 3), (5, 10, 101), (8, 600, 500), (9, 600, 500), (100, 10, 784), (100, 40, 784)]  # N, K, D


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "width", "depth"), SIZES)
def test_products(rng, n, width, depth, dtype):
    shapes = (n, depth), (width, depth), width, (n, width)
    x, w, b, gy = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    y, gx, gw = np.empty((n, width), dtype), np.empty((n, depth), dtype), np.empty((width, depth), dtype)
    inner.forward(x, w, b, y)
    inner.backward_input(gy, w, gx)
    inner.backward_weight(gy, x, gw)
    rtol = 1e-5 if dtype is np.float32 else 1e-12
    for found, want in ((y, x @ w.T + b), (gx, gy @ w), (gw, gy.T @ x)):
        assert_allclose(found, want, rtol=rtol, atol=rtol * 100)


@pytest.mark.parametrize(
    ("n", "width", "depth", "small"), [(8, 3000, 100, True), (9, 3000, 100, False), (20, 10, 10_000, True)]
)
def test_large_products_of_more_than_eight_images_are_those_of_blas(rng, n, width, depth, small):
    x, w, gy = (rng.normal(size=shape).astype(np.float32) for shape in ((n, depth), (width, depth), (n, width)))
    y, gx, gw = np.empty((n, width), np.float32), np.empty((n, depth), np.float32), np.empty((width, depth), np.float32)
    want = np.empty_like(y), np.empty_like(gx), np.empty_like(gw)
    library = entries(blas)
    library.forward(x, w, want[0], width)
    library.backward_input(gy, w, want[1])
    library.backward_weight(gy, x, want[2], 0)
    inner.forward(x, w, np.zeros(width, np.float32), y)
    inner.backward_input(gy, w, gx)
    inner.backward_weight(gy, x, gw)
    same = [(a == b).all() for a, b in zip((y, gx, gw), want, strict=True)]
    assert small != all(same)
