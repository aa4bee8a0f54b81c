"""The linear layer against NumPy, around the batch sizes where its weights are cut into chunks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.small_batch import linear
from tests.engines.cpu.entry import entries

inner = entries(linear)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 100])
@pytest.mark.parametrize(("width", "depth"), [(1, 1), (7, 3), (400, 784)])
def test_forward(rng, n, width, depth, dtype):
    x, w, b = (rng.normal(size=shape).astype(dtype) for shape in ((n, depth), (width, depth), width))
    y = np.empty((n, width), dtype)
    inner.forward(x, w, b, y)
    rtol = 1e-5 if dtype is np.float32 else 1e-12
    assert_allclose(y, x @ w.T + b, rtol=rtol, atol=rtol * 100)
