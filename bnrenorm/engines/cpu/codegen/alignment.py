"""Arrays that begin at a cache line, so that no vector load crosses one."""

from collections.abc import Callable
from typing import Any

import numpy as np

CACHE_LINE = 64
"""Bytes."""


def aligned(rows: int, pitch: int, dtype: Any, make: Callable[..., np.ndarray] = np.empty) -> np.ndarray:
    """Return an array (rows, pitch) that begins at a cache line, made by `numpy.empty` or `numpy.zeros`."""
    size = rows * pitch * np.dtype(dtype).itemsize
    raw = make(size + CACHE_LINE, np.uint8)
    offset = -raw.ctypes.data % CACHE_LINE
    return raw[offset : offset + size].view(dtype).reshape(rows, pitch)


def whole_lines(width: int) -> int:
    """Round a count of float32 values up to whole cache lines."""
    return -(-4 * width // CACHE_LINE) * CACHE_LINE // 4
