"""Sums of chosen rows against NumPy, for every count of vector registers and both dtypes."""

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen import row_sums
from bnrenorm.engines.cpu.codegen.alignment import aligned, whole_lines
from tests.engines.cpu.entry import entries

pytestmark = pytest.mark.slow

inner = entries(row_sums)
WIDTHS = [1, 7, 8, 16, 17, 50, 100, 128, 129, 300, 400]
TYPES = [np.float32, np.float64]


def data(rng, width, count, dtype):
    table = aligned(40, whole_lines(width), dtype)
    table[...] = rng.normal(size=table.shape)
    chosen = rng.integers(0, 40, count + 5).astype(np.int32)
    factors = rng.normal(size=count + 5).astype(dtype)
    return factors, chosen, table


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize("width", WIDTHS)
def test_add_rows(rng, width, count, dtype):
    factors, chosen, table = data(rng, width, count, dtype)
    out = rng.normal(size=width + 9).astype(dtype)
    want = out.copy()
    want[4 : 4 + width] += factors[2 : 2 + count] @ table[chosen[2 : 2 + count], :width]
    inner.add_rows(2, 2 + count, factors, chosen, table, out, 4, width)
    assert_allclose(out, want, rtol=1e-5 if dtype is np.float32 else 1e-13, atol=1e-5)
    assert (out[:4] == want[:4]).all()
    assert (out[4 + width :] == want[4 + width :]).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_four_sums(rng, width, dtype):
    _, chosen, table = data(rng, width, 6, dtype)
    factors = rng.normal(size=(9, 4)).astype(dtype)
    out = rng.normal(size=(4, width + 3)).astype(dtype)
    beyond = out[:, width:].copy()
    inner.four_sums(2, 8, factors, chosen, table, out, width)
    want = factors[2:8].T @ table[chosen[2:8], :width]
    assert_allclose(out[:, :width], want, rtol=1e-5 if dtype is np.float32 else 1e-13, atol=1e-5)
    assert (out[:, width:] == beyond).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_momentum_row(rng, width, dtype):
    factors, chosen, table = data(rng, width, 3, dtype)
    p, velocity = rng.normal(size=(2, width + 9)).astype(dtype)
    want = velocity.copy()
    want[4 : 4 + width] = dtype(0.9) * velocity[4 : 4 + width] + factors[:3] @ table[chosen[:3], :width]
    moved = p.copy()
    moved[4 : 4 + width] += want[4 : 4 + width]
    inner.momentum_row(0, 3, factors, chosen, table, velocity, p, 4, width, dtype(0.9))
    assert_allclose(velocity, want, rtol=1e-4, atol=1e-5)
    assert_allclose(p, moved, rtol=1e-4, atol=1e-5)
    assert (p[4 + width :] == moved[4 + width :]).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_coasting_in_one_go_is_coasting_step_by_step_to_the_last_bit(rng, width, dtype):
    p, velocity = rng.normal(size=(2, width + 9)).astype(dtype)
    moved, slowed = p.copy(), velocity.copy()
    here = slice(4, 4 + width)
    for _ in range(5):
        slowed[here] *= dtype(0.9)
        moved[here] += slowed[here]
    one_by_one = p.copy(), velocity.copy()
    inner.coast(5, velocity, p, 4, width, dtype(0.9))
    for _ in range(5):
        inner.coast(1, one_by_one[1], one_by_one[0], 4, width, dtype(0.9))
    assert (velocity == slowed).all()
    assert (p == moved).all()
    assert (p == one_by_one[0]).all()


@numba.njit
def _prefetch(x, offset):
    row_sums.prefetch(x, offset)


def test_a_prefetch_beyond_the_end_does_no_harm():
    _prefetch(np.zeros(3, np.float32), 10**6)
