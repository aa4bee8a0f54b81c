"""A constant is copied to a device once, and again if it or the device changes."""

import numpy as np

from bnrenorm.norm.device_copy import DeviceCopy


def test_on_a_cpu_the_value_itself_is_taken(fake_cupy):
    value = np.ones((2, 1, 1), np.float32)
    assert DeviceCopy().of(value, np.zeros(3)) is value
    assert fake_cupy.copies_in == 0


def test_a_gpu_gets_a_value_once_until_it_changes(fake_cupy):
    copy, like = DeviceCopy(), fake_cupy.wrap(np.zeros(3))
    for number, copies in [(1.0, 1), (1.0, 1), (1.5, 2), (1.5, 2), (1.0, 3)]:
        value = np.full((2, 1, 1), number, np.float32)
        got = copy.of(value, like)
        assert (got.array == value).all()
        assert fake_cupy.copies_in == copies


def test_another_dtype_or_device_is_another_copy(fake_cupy):
    copy, value = DeviceCopy(), np.ones((2, 1, 1), np.float32)
    assert copy.of(value, fake_cupy.wrap(np.zeros(3))).device == 0
    assert copy.of(np.float64(value), fake_cupy.wrap(np.zeros(3))).dtype == np.float64
    fake_cupy.current = 1
    assert copy.of(np.float64(value), fake_cupy.wrap(np.zeros(3))).device == 1
    assert fake_cupy.copies_in == 3
