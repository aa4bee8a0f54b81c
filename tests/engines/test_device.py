"""Devices by name, and GPUs that are counted but cannot compute."""

import gc
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from bnrenorm import _compat
from bnrenorm.engines import device
from bnrenorm.errors import DeviceError, InputError, OutOfMemory


@pytest.fixture
def sound(monkeypatch):
    """GPUs that compute."""
    monkeypatch.setattr(device, "problem", lambda index: None)


@pytest.mark.parametrize(
    ("gpus", "name", "want"),
    [(0, "auto", "cpu"), (2, "auto", "cuda:0"), (2, "cuda:1", "cuda:1"), (1, "cuda", "cuda:0"), (2, "cpu", "cpu")],
)
def test_a_device_is_chosen(sound, monkeypatch, gpus, name, want):
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    assert device.choose(name) == (want, "")


@pytest.mark.parametrize(("gpus", "name"), [(0, "cuda:0"), (0, "cuda"), (1, "cuda:1"), (1, "gpu"), (1, "cuda:-1")])
def test_what_is_not_there_is_refused(sound, monkeypatch, gpus, name):
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    with pytest.raises(InputError, match=f"--device {name}"):
        device.choose(name)


def test_the_gpu_that_is_asked_for_is_the_one_that_must_compute(monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 2)
    monkeypatch.setattr(device, "problem", lambda index: "is broken" if index == 1 else None)
    assert device.choose("cuda:0") == ("cuda:0", "")
    with pytest.raises(InputError, match="--device cuda:1: is broken"):
        device.choose("cuda:1")


def test_the_cpu_is_chainers_numpy_device():
    assert device.chainer_device("cpu").xp.__name__ == "numpy"
    with device.using("cpu"):
        device.synchronize(device.chainer_device("cpu"))


class Array(np.ndarray):
    def get(self):
        return np.asarray(self)


@pytest.fixture
def cupy(monkeypatch):
    """A CuPy whose single GPU is in host memory; it notes the devices that were used."""
    used = []

    def use(index):
        used.append(index)
        return nullcontext()

    module = SimpleNamespace(
        cuda=SimpleNamespace(Device=use, runtime=SimpleNamespace(getDeviceCount=lambda: 2)),
        arange=lambda n, dtype: np.arange(n, dtype=dtype).view(Array),
        float32=np.float32,
        used=used,
    )
    monkeypatch.setitem(sys.modules, "cupy", module)
    device.problem.cache_clear()
    yield module
    device.problem.cache_clear()


def break_gpu(monkeypatch, cupy, fault):
    """Let the fake GPU's first kernel fail, its first matrix product, or its numbers be wrong."""

    def fail(*_, **__):
        raise fault

    if isinstance(fault, RuntimeError):
        monkeypatch.setattr(cupy, "arange", fail)
    elif isinstance(fault, ImportError):
        monkeypatch.setattr(Array, "__matmul__", fail, raising=False)
    else:
        monkeypatch.setattr(Array, "get", lambda self: np.asarray(self) + np.float32(fault))


FAULTS = {
    "no NVRTC": (RuntimeError("failed to load\nlibnvrtc"), "RuntimeError: failed to load libnvrtc"),
    "no cuBLAS": (ImportError("libcublasLt.so.12: cannot open"), "ImportError: libcublasLt.so.12: cannot open"),
    "wrong": (0.5, "it computes wrong numbers"),
    "NaN": (np.nan, "it computes wrong numbers"),
}


def test_a_gpu_is_tried_once(cupy):
    assert [device.problem(index) for index in (0, 1, 0)] == [None, None, None]
    assert cupy.used == [0, 1]


@pytest.mark.parametrize("name", FAULTS)
def test_a_gpu_that_cannot_compute_is_passed_over_with_a_note(cupy, monkeypatch, name):
    fault, line = FAULTS[name]
    break_gpu(monkeypatch, cupy, fault)
    assert device.problem(1) == line
    note = f"the GPU is not used: {line}; `bnrenorm doctor` says what is missing"
    assert device.choose("auto") == ("cpu", note)
    assert device.choose("cpu") == ("cpu", "")


@pytest.mark.parametrize("name", FAULTS)
def test_a_gpu_that_cannot_compute_is_refused_in_one_line(cupy, monkeypatch, name):
    fault, line = FAULTS[name]
    break_gpu(monkeypatch, cupy, fault)
    with pytest.raises(InputError) as raised:
        device.choose("cuda:1")
    assert str(raised.value) == f"--device cuda:1: {line}; `bnrenorm doctor` says what is missing"


class OutOfMemoryError(MemoryError):
    __module__ = "cupy.cuda.memory"


class CUDARuntimeError(RuntimeError):
    __module__ = "cupy_backends.cuda.api.runtime"


class CUDADriverError(RuntimeError):
    __module__ = "cupy_backends.cuda.api.driver"


class CUBLASError(RuntimeError):
    __module__ = "cupy_backends.cuda.libs.cublas"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutOfMemoryError("Out of memory allocating\n1,024 bytes"), OutOfMemory),
        (CUDARuntimeError("cudaErrorMemoryAllocation: out of memory"), OutOfMemory),
        (CUDADriverError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"), OutOfMemory),
        (CUBLASError("CUBLAS_STATUS_ALLOC_FAILED"), OutOfMemory),
        (CUBLASError("CUBLAS_STATUS_NOT_INITIALIZED"), OutOfMemory),
        (CUBLASError("CUBLAS_STATUS_EXECUTION_FAILED"), DeviceError),
        (CUDARuntimeError("cudaErrorIllegalAddress: an illegal memory access"), DeviceError),
    ],
)
def test_what_cupy_raises_is_one_line_that_names_the_device(error, kind):
    with pytest.raises(DeviceError) as raised, device.faults("cuda:1"):
        raise error
    assert type(raised.value) is kind
    assert str(raised.value) == f"cuda:1: {type(error).__name__}: {' '.join(str(error).split())}"
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError("no"), InputError("no"), KeyboardInterrupt()])
def test_what_others_raise_is_left_alone(error):
    with pytest.raises(type(error)) as raised, device.faults("cuda:0"):
        raise error
    assert raised.value is error


def test_a_cpu_has_no_memory_to_give_back(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    device.release_memory("cpu")


def test_free_memory_is_what_the_card_and_its_pool_have(monkeypatch):
    cards = {index: nullcontext(SimpleNamespace(mem_info=(1000 + index, 10**6))) for index in (0, 1)}
    pool = SimpleNamespace(free_bytes=lambda: 200)
    module = SimpleNamespace(cuda=SimpleNamespace(Device=cards.get), get_default_memory_pool=lambda: pool)
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert [device.free_memory("cuda:0"), device.free_memory("cuda:1")] == [1200, 1201]


@pytest.mark.gpu
def test_memory_without_use_is_free_and_is_given_back():
    import cupy

    pool = cupy.get_default_memory_pool()  # what the card has free changes with the other processes that use it
    gc.collect()
    device.release_memory("cuda:0")
    held, left = pool.total_bytes(), pool.free_bytes()
    block = cupy.zeros(2**24, np.uint8)
    assert pool.total_bytes() >= held + 2**24 - left
    assert device.free_memory("cuda:0") > 0
    del block
    assert pool.free_bytes() >= 2**24
    device.release_memory("cuda:0")
    assert pool.total_bytes() <= held
    assert pool.free_bytes() <= left  # parts of blocks that others use
    with pytest.raises(OutOfMemory, match="cuda:0: OutOfMemoryError: "), device.faults("cuda:0"):
        cupy.zeros(2**50, np.uint8)


@pytest.mark.gpu
def test_the_gpu_of_this_machine_computes():
    assert device.problem(0) is None
