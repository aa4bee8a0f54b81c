"""Devices by name: "cpu", or "cuda:N" through CuPy."""

import importlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

from bnrenorm import _compat
from bnrenorm.errors import DeviceError, InputError, OutOfMemory, is_of_cupy, one_line

DOCTOR = "`bnrenorm doctor` says what is missing"
_FULL = (
    "cudaErrorMemoryAllocation",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",  # a thread's first product; that cuBLAS works at all is seen by `problem`
)


def choose(name: str) -> tuple[str, str]:
    """Return the device for a name, and a note for the user or "".

    "auto" is "cuda:0" if there is a GPU that computes, and "cpu" otherwise; the note says why a GPU is not taken.
    "cuda" is "cuda:0". Raises InputError for anything but these and "cpu" and "cuda:N", and for a GPU that does not
    exist or compute.
    """
    if name == "cpu":
        return name, ""
    count = _compat.gpu_count()
    if name == "auto":
        fault = problem(0) if count else None
        note = "" if fault is None else f"the GPU is not used: {fault}; {DOCTOR}"
        return ("cuda:0" if count and fault is None else "cpu"), note
    name = "cuda:0" if name == "cuda" else name
    match = re.fullmatch(r"cuda:(\d+)", name)
    if match is None:
        raise InputError(f"--device {name}: expected auto, cpu, cuda or cuda:N")
    if int(match[1]) >= count:
        available = f"{count} found by CuPy" if count else f"none found; {DOCTOR}"
        raise InputError(f"--device {name}: there is no such GPU ({available})")
    if (fault := problem(int(match[1]))) is not None:
        raise InputError(f"--device {name}: {fault}; {DOCTOR}")
    return name, ""


@cache
def problem(index: int) -> str | None:
    """Return why the GPU of this index cannot compute, in one line; None if it can. Tried once per process.

    A driver counts GPUs without CUDA's other libraries: those that compile kernels (NVRTC) and multiply matrices
    (cuBLAS) are loaded, and found missing, when they are first needed.
    """
    try:
        cupy: Any = importlib.import_module("cupy")
        with cupy.cuda.Device(index):
            x = cupy.arange(4, dtype=cupy.float32).reshape(2, 2)
            wrong = ((x @ x + x).get() != [[2, 4], [8, 14]]).any()
    except Exception as error:  # for a missing library each CuPy release raises something else
        return one_line(error)
    return "it computes wrong numbers" if wrong else None


def chainer_device(name: str) -> Any:
    """Return Chainer's device object for a name returned by `choose`."""
    return _compat.chainer.get_device("@numpy" if name == "cpu" else f"@cupy:{name.removeprefix('cuda:')}")


def using(name: str) -> AbstractContextManager[Any]:
    """Return the context in which this thread makes its arrays on a device, and launches its kernels there.

    CuPy takes the thread's current device, 0 at first, whatever the device of the arrays that it is called with.
    """
    return _compat.chainer.using_device(chainer_device(name))


@contextmanager
def faults(name: str) -> Iterator[None]:
    """Context in which what CuPy raises is a `DeviceError` of the device, `OutOfMemory` if its memory is full."""
    try:
        yield
    except Exception as error:
        if not is_of_cupy(error):
            raise
        is_full = type(error).__name__ == "OutOfMemoryError" or any(text in str(error) for text in _FULL)
        raise (OutOfMemory if is_full else DeviceError)(f"{name}: {one_line(error)}") from None


def free_memory(name: str) -> int:
    """Return the bytes of a GPU's memory that a training can get: what is free, and what CuPy keeps without use."""
    cupy: Any = importlib.import_module("cupy")
    with faults(name), cupy.cuda.Device(int(name.removeprefix("cuda:"))) as card:
        return card.mem_info[0] + cupy.get_default_memory_pool().free_bytes()


def release_memory(name: str) -> None:
    """Give back the memory of a GPU that CuPy keeps without use, for other processes and for larger blocks."""
    if name == "cpu":
        return
    cupy: Any = importlib.import_module("cupy")
    with faults(name), cupy.cuda.Device(int(name.removeprefix("cuda:"))):
        cupy.get_default_memory_pool().free_all_blocks()
        cupy.get_default_pinned_memory_pool().free_all_blocks()


def synchronize(device: Any) -> None:
    """Wait until a Chainer device has done all that it was asked to: a GPU's calls return before that."""
    if isinstance(device, _compat.chainer.backend.GpuDevice):
        device.device.synchronize()
