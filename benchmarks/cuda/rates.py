"""The two ceilings of the roofline, measured: how fast the device copies, and multiplies float32 matrices."""

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.cuda.counts import Rates
from benchmarks.cuda.device import Device

_SAMPLES = 7
_SECONDS = 0.03  # of a sample: thousands of times the error of the clock


def measure(device: Device) -> Rates:
    """Return the rates of copies of 1 GiB and of products of two 8192 x 8192 matrices; of tiny ones in a rehearsal."""
    copy = _copy(device, 2**20 if device.rehearsal else 2**28)
    device.free()
    product = _product(device, 256 if device.rehearsal else 8192)
    device.free()
    return Rates(copy, product)


def _copy(device: Device, floats: int) -> float:
    source, target = device.numbers(floats), device.xp.empty(floats, np.float32)
    return 2 * source.nbytes / _median(device, lambda: device.xp.copyto(target, source))


def _product(device: Device, side: int) -> float:
    a, b, c = device.numbers(side, side), device.numbers(side, side), device.xp.empty((side, side), np.float32)
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
