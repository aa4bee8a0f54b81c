import numpy as np
import pytest

from bnrenorm.engines.cpu.codegen.alignment import aligned, whole_lines


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", range(1, 9))
def test_an_array_begins_with_a_cache_line(rows, dtype):
    array = aligned(rows, 16, dtype)
    assert array.ctypes.data % 64 == 0
    assert array.shape == (rows, 16)
    assert array.dtype == dtype
    assert array.flags.c_contiguous


def test_zeros_may_be_asked_for():
    assert not aligned(3, 16, np.float32, np.zeros).any()


@pytest.mark.parametrize(("width", "want"), [(1, 16), (16, 16), (17, 32), (100, 112), (400, 400)])
def test_whole_lines(width, want):
    assert whole_lines(width) == want
