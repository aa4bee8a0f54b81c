"""Views against NumPy's slices, and what copies leave alone."""

import numba
import numpy as np
import pytest

from bnrenorm.engines.cpu.codegen import arrays
from tests.engines.cpu.entry import entries

pytestmark = pytest.mark.slow

inner = entries(arrays)


@numba.njit
def fill_vector(x, offset, n, value):
    view = arrays.vector(x, offset, n)
    for i in range(len(view)):
        view[i] = value


@numba.njit
def read_matrix(x, offset, n, width, out):
    view = arrays.matrix(x, offset, n, width)
    for i in range(view.shape[0]):
        for k in range(view.shape[1]):
            out[i, k] = view[i, k]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("shape", [(24,), (4, 6), (2, 3, 4)])
def test_a_vector_is_a_slice_of_the_flat_array(shape, dtype):
    x = np.arange(24, dtype=dtype).reshape(shape)
    want = x.copy()
    want.ravel()[5:9] = 77
    fill_vector(x, 5, 4, dtype(77))
    assert (x == want).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_matrix_is_a_reshaped_slice_of_the_flat_array(dtype):
    x, out = np.arange(30, dtype=dtype).reshape(5, 6), np.zeros((3, 4), dtype)
    read_matrix(x, 7, 3, 4, out)
    assert (out == x.ravel()[7:19].reshape(3, 4)).all()


def test_copy_leaves_further_columns_alone(rng):
    x, target = rng.normal(size=(3, 2)), np.full((3, 4), 7.0)
    inner.copy(target, x)
    assert (target[:, :2] == x).all()
    assert (target[:, 2:] == 7).all()


def test_zero():
    x = np.ones(5)
    inner.zero(x[1:4])
    assert list(x) == [1, 0, 0, 0, 1]
