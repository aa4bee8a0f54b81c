import platform

import numpy as np
import pytest

from bnrenorm.engines.cpu.codegen.decorators import kernel
from bnrenorm.engines.cpu.codegen.denormals import flush, restore


@kernel
def _scale(x, factor, flushing, y):
    before = flush()
    if not flushing:
        restore(before)
    for i in range(len(x)):
        y[i] = x[i] * factor
    restore(before)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"), reason="others keep denormals")
def test_denormals_are_zero_inside_the_kernel_and_nowhere_else():
    tiny = np.finfo(np.float32).tiny
    x, y = np.array([tiny, 1.0, 3 * tiny], np.float32), np.empty(3, np.float32)
    want = x / 2
    assert want[0] > 0
    _scale(x, np.float32(0.5), True, y)
    assert list(y) == [0, 0.5, want[2]]
    assert (x / 2 == want).all()  # NumPy on the same thread
    _scale(x, np.float32(0.5), False, y)
    assert (y == want).all()
    _scale(want, np.float32(2**30), True, y)  # denormals that come in, and would not go out as such
    assert list(y) == [0, 2**29, want[2] * 2**30]
