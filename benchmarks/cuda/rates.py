"""The ceilings of the roofline, measured: how fast the device copies, and multiplies matrices of 32 and of 16 bits."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cuda.counts import Rates
from benchmarks.cuda.device import Device
from bnrenorm.engines.cuda.pixels import PARTS

_SAMPLES = 7
_SECONDS = 0.03  # of a sample: thousands of times the error of the clock


def measure(device: Device) -> Rates:
    """Return the rates of copies of 1 GiB and of products of two 8192 x 8192 matrices; of tiny ones in a rehearsal.

    Tensor cores multiply float16 as fast as bfloat16, which CuPy lacks; a rehearsal has none.
    """
    copy = _copy(device, 2**20 if device.rehearsal else 2**28)
    device.free()
    product = _product(device, 256 if device.rehearsal else 8192, np.float32)
    device.free()
    if device.rehearsal:
        return Rates(copy, product)
    sixteen_bits = _product(device, 8192, np.float16)
    device.free()
    return Rates(copy, product, sixteen_bits / PARTS)


def _copy(device: Device, floats: int) -> float:
    source, target = device.numbers(floats), device.xp.empty(floats, np.float32)
    return 2 * source.nbytes / _median(device, lambda: device.xp.copyto(target, source))


def _product(device: Device, side: int, dtype: Any) -> float:
    a, b = (device.numbers(side, side).astype(dtype) for _ in range(2))
    c = device.xp.empty((side, side), dtype)
    return 2 * side**3 / _median(device, lambda: device.xp.matmul(a, b, out=c))


def _median(device: Device, work: Callable[[], object]) -> float:
    """Return the median seconds of one call."""

    def seconds(calls: int) -> float:
        device.synchronize()
        started = time.perf_counter()
        for _ in range(calls):
            work()
        device.synchronize()
        return (time.perf_counter() - started) / calls

    seconds(2)  # loads the library
    calls = max(1, round(_SECONDS / seconds(2)))
    return statistics.median(seconds(calls) for _ in range(_SAMPLES))
