"""Constants of the host that kernels of a GPU need at every step: copied there once."""

from typing import Any

import numpy as np

from bnrenorm.norm.formulas import array_module

Array = Any


class DeviceCopy:
    """The copy of a constant on the device that last asked for it."""

    def __init__(self) -> None:
        self._value: np.ndarray | None = None
        self._copy: Array = None

    def of(self, value: np.ndarray, like: Array) -> Array:
        """Return a value of the host on the device of the array `like`; copied only if it or the device has changed."""
        xp = array_module(like)
        if xp is np:
            return value
        if self._value is None or self._copy.device != like.device or not _is_same(self._value, value):
            self._value, self._copy = value, xp.asarray(value)
        return self._copy


def _is_same(a: np.ndarray, b: np.ndarray) -> bool:
    return a is b or (a.dtype == b.dtype and np.array_equal(a, b))
