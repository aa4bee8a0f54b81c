"""Products against NumPy, and what they leave alone in wider arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen import blas
from tests.engines.cpu.entry import entries

pytestmark = pytest.mark.slow

inner = entries(blas)
SIZES = [(1, 1, 1), (2, 7, 3), (9, 16, 30), (100, 40, 784)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "width", "depth"), SIZES)
def test_products(rng, n, width, depth, dtype):
    x, w, gy = (rng.normal(size=shape).astype(dtype) for shape in ((n, depth), (width, depth), (n, width)))
    y, gx, gw = np.full((n, width + 2), 7, dtype), np.full((n, depth + 2), 7, dtype), np.empty((width, depth), dtype)
    close = {"rtol": 1e-5, "atol": 1e-3} if dtype is np.float32 else {"rtol": 1e-12, "atol": 1e-11}
    inner.forward(x, w, y, width + 2)
    inner.backward_input(gy, w, gx)
    for wide, want in ((y, x @ w.T), (gx, gy @ w)):
        assert_allclose(wide[:, :-2], want, **close)
        assert (wide[:, -2:] == 7).all()
    for add in (0, 1):
        inner.backward_weight(gy, x, gw, add)
        assert_allclose(gw, (1 + add) * gy.T @ x, **close)
