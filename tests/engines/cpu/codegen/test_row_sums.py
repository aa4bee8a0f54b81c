"""Weighted sums of rows against NumPy, for every count of vector registers and both dtypes."""

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
FOURS = [(0, 1, 2, 3), (3, 0, 2, 1), (1, 3, 3, 3), (2, 2, 2, 2)]  # rows of the result; of few ones the last is repeated


def data(rng, width, count, dtype, four):
    """Return factors, rows and table of which t = 2 to 1 + count are meant, and what is added to five rows."""
    table = aligned(40, whole_lines(width), dtype)
    table[...] = rng.normal(size=table.shape)
    chosen = rng.integers(0, 40, count + 5).astype(np.int32)
    factors = rng.normal(size=(count + 5, 4)).astype(dtype)
    for g in range(1, 4):
        if four[g] in four[:g]:
            factors[:, g] = factors[:, four.index(four[g])]
    added = np.zeros((5, width), dtype)
    for g, row in enumerate(four):
        added[row] = factors[2 : 2 + count, g] @ table[chosen[2 : 2 + count], :width]
    return factors, chosen, table, added


def close(dtype):
    return {"rtol": 1e-4, "atol": 1e-5} if dtype is np.float32 else {"rtol": 1e-13, "atol": 1e-13}


@pytest.mark.parametrize("four", FOURS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize("width", WIDTHS)
def test_add_fours(rng, width, count, dtype, four):
    factors, chosen, table, added = data(rng, width, count, dtype, four)
    out = rng.normal(size=(5, width + 3)).astype(dtype)
    want = out.copy()
    want[:, :width] += added
    inner.add_fours(2, 2 + count, factors, chosen, table, out, *(row * (width + 3) for row in four), width)
    assert_allclose(out, want, **close(dtype))
    assert (out[:, width:] == want[:, width:]).all()
    assert (out[4] == want[4]).all()


@pytest.mark.parametrize("four", FOURS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_momentum_fours(rng, width, dtype, four):
    factors, chosen, table, added = data(rng, width, 3, dtype, four)
    p, velocity = rng.normal(size=(2, 5, width + 3)).astype(dtype)
    want, moved = velocity.copy(), p.copy()
    rows = sorted(set(four))
    want[rows, :width] = dtype(0.9) * velocity[rows, :width] + added[rows]
    moved[rows, :width] += want[rows, :width]
    offsets = [row * (width + 3) for row in four]
    inner.momentum_fours(2, 5, factors, chosen, table, velocity, p, *offsets, width, dtype(0.9))
    assert_allclose(velocity, want, **close(dtype))
    assert_allclose(p, moved, **close(dtype))
    assert (p[:, width:] == moved[:, width:]).all()
    assert (p[4] == moved[4]).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_a_step_of_momentum_with_nothing_to_add_coasts_to_the_last_bit(rng, dtype):
    """A pixel that is black beside lit ones takes the step that `coast` would take."""
    factors, chosen, table, _ = data(rng, 50, 3, dtype, (0, 1, 2, 3))
    factors[:, 1] = 0
    p, velocity = rng.normal(size=(2, 5, 50)).astype(dtype)
    coasted = p[1].copy(), velocity[1].copy()
    inner.momentum_fours(2, 5, factors, chosen, table, velocity, p, 0, 50, 100, 150, 50, dtype(0.9))
    inner.coast(1, coasted[1], coasted[0], 0, 50, dtype(0.9))
    assert (p[1] == coasted[0]).all()
    assert (velocity[1] == coasted[1]).all()


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
