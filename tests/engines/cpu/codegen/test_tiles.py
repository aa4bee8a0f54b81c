"""Products of dense matrices against NumPy, for every count of vector registers, of rows, and both dtypes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen import tiles
from bnrenorm.engines.cpu.codegen.alignment import aligned, whole_lines
from tests.engines.cpu.entry import entries

pytestmark = pytest.mark.slow

inner = entries(tiles)
WIDTHS = [1, 7, 16, 17, 100, 129, 300]
TYPES = [np.float32, np.float64]


@pytest.fixture(params=TYPES)
def operands(request, rng):
    """The factors (9, 11), a function that makes a table of a width, and the tolerance."""
    dtype = request.param

    def table(rows, width):
        values = aligned(rows, whole_lines(width), dtype)
        values[...] = rng.normal(size=values.shape)
        return values

    return rng.normal(size=(9, 11)).astype(dtype), table, {"rtol": 1e-5 if dtype is np.float32 else 1e-13, "atol": 1e-5}


@pytest.mark.parametrize("members", [1, 2, 3, 4])
@pytest.mark.parametrize("width", WIDTHS)
def test_rows_of_a_product_are_added(rng, operands, width, members):
    """out[2:] += x[2:] table, summed over the columns 1 to 7 of x."""
    x, make, close = operands
    table = make(11, width)
    out = rng.normal(size=(8, width + 3)).astype(x.dtype)
    want = out.copy()
    want[2 : 2 + members, :width] += x[2 : 2 + members, 1:8] @ table[1:8, :width]
    inner.add_products(1, 8, x, 22, 1, 11, members, table, 0, out, 2 * (width + 3), width + 3, width)
    assert_allclose(out, want, **close)
    assert (out[2 + members :] == want[2 + members :]).all()
    assert (out[:, width:] == want[:, width:]).all()


def test_columns_of_a_product_are_added(rng, operands):
    x, make, close = operands
    table, out = make(11, 100), np.zeros((4, 40), x.dtype)
    inner.add_products(0, 11, x, 0, 1, 11, 4, table, 32, out, 0, 40, 40)
    assert_allclose(out, x[:4] @ table[:, 32:72], **close)


@pytest.mark.parametrize("members", [1, 2, 3, 4])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_momentum_step_of_rows_of_a_transposed_product(rng, operands, width, members):
    """velocity[5:] = 0.9 velocity[5:] + (x^T table)[5:]; p[5:] += velocity[5:]."""
    x, make, close = operands
    table, pitch = make(9, width), whole_lines(width)
    velocity, p = rng.normal(size=(2, 11, pitch)).astype(x.dtype)
    want_v, want_p = velocity.copy(), p.copy()
    rows = slice(5, 5 + members)
    want_v[rows, :width] = 0.9 * velocity[rows, :width] + x[:, rows].T @ table[:, :width]
    want_p[rows, :width] += want_v[rows, :width]
    inner.momentum_products(
        0, 9, x, 5, 11, 1, members, table, 0, velocity, p, 5 * pitch, pitch, width, x.dtype.type(0.9)
    )
    assert_allclose(velocity, want_v, **close)
    assert_allclose(p, want_p, **close)
    others = np.delete(np.arange(11), rows)
    assert (velocity[others] == want_v[others]).all()
    assert (p[others] == want_p[others]).all()
