import sys

import numpy as np
import pytest

from benchmarks.cuda import device as devices
from benchmarks.cuda import rates
from benchmarks.cuda.device import COLUMNS, Device
from bnrenorm import _compat
from bnrenorm.errors import InputError


def test_a_rehearsal_is_on_the_cpu():
    device = devices.choose("rehearsal")
    assert (device.name, device.rehearsal, device.xp) == ("cpu", True, np)
    assert device.describe() == dict.fromkeys(COLUMNS, "")
    device.synchronize()


def test_without_a_gpu_there_is_no_device(monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 0)
    monkeypatch.setattr(devices.os, "environ", {})
    for name in ("cuda", "cuda:0", "cuda:3"):
        with pytest.raises(InputError, match=f"--device {name}: CuPy has 0 GPUs; `bnrenorm doctor` says"):
            devices.choose(name)
    with pytest.raises(InputError, match="--device gpu: expected cpu, cuda, cuda:N or rehearsal"):
        devices.choose("gpu")
    assert devices.os.environ["NVIDIA_TF32_OVERRIDE"] == "0"  # before a library reads it


@pytest.mark.parametrize(("name", "device"), [("cuda", "cuda:0"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_gpu_is_taken_by_its_number(monkeypatch, name, device):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 2)
    monkeypatch.setattr(devices.os, "environ", {})
    monkeypatch.setattr(devices, "Device", lambda name: name)
    assert devices.choose(name) == device
    with pytest.raises(InputError, match="CuPy has 2 GPUs"):
        devices.choose("cuda:2")


def test_what_contenders_share_is_made_once_until_it_is_freed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    device, made = Device("cpu"), []

    def make():
        made.append(len(made))
        return made[-1]

    assert [device.kept("a", make), device.kept("a", make), device.kept("b", make)] == [0, 0, 1]
    device.free()
    assert device.kept("a", make) == 2


def test_random_numbers_have_the_shape_and_repeat_after_a_million():
    device = Device("cpu")
    numbers = device.numbers(3, 2**19)
    assert (numbers.shape, numbers.dtype) == ((3, 2**19), np.float32)
    flat = numbers.ravel()
    assert (flat[: 2**19] == flat[2**20 :]).all()
    assert (flat[: 2**19] != flat[2**19 : 2**20]).any()
    assert abs(flat[: 2**20].mean()) < 0.01
    assert abs(flat[: 2**20].std() - 1) < 0.01


def test_rates_are_bytes_read_plus_written_and_two_operations_a_product(monkeypatch):
    """By a clock that goes 8 ms further with each copy, and 4 ms with each product."""
    now = [0.0]

    class Slow:
        empty = staticmethod(np.empty)

        @staticmethod
        def copyto(target, source):
            now[0] += 0.008
            target[...] = source

        @staticmethod
        def matmul(a, b, out):
            now[0] += 0.004

    device = Device("cpu")
    device.xp = Slow
    monkeypatch.setattr(device, "numbers", lambda *shape: np.zeros(shape, np.float32))
    monkeypatch.setattr(rates.time, "perf_counter", lambda: now[0])
    measured = rates.measure(device)
    assert measured.copy == pytest.approx(2 * 4 * 2**20 / 0.008)
    assert measured.product == pytest.approx(2 * 256**3 / 0.004)
