"""The card, its rates, the memory that a group takes, and how long steps last, with the CPU engine for comparison."""

import gc
import importlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from bnrenorm import environment
from bnrenorm.cli.proof.rows import Row, digits, guarded, trials
from bnrenorm.engines import device as devices
from bnrenorm.engines.backend import CPU, CUDA, Backend
from bnrenorm.engines.cpu import support
from bnrenorm.runs.memory import need
from bnrenorm.training.loop import Training

COPY, SQUARE = 2**30, 8192
"""Bytes that are copied, and rows and columns of matrices that are multiplied, to measure the card's rates."""

IMAGES = (60_000, 10_000)
"""Digits of the timed jobs, for training and test."""

_ROUNDS = 5
_BRN = "{kind: renorm, r_max: 3, d_max: 5}"
_JOBS = {
    "full batch, BN and BRN": ("training.batch: full\nvariants: {BN: {}, BRN: {norm: " + _BRN + "}}", 2),
    "mini-batch of 100, 784-100-50-10, 30 seeds": (
        "model.hidden: [100, 50]\nmodel.order: linear-norm-activation\ntraining.batch: 100\nseeds: 30",
        200,
    ),
    "micro-batch of 4, BRN, 30 seeds": (f"training.batch: 4\nnorm: {_BRN}\nseeds: 30", 200),
    "batch of 32, 1 replica": ("training.batch: 32", 500),
}
"""Experiments with the first article's network, if they do not say otherwise, and the steps that are timed."""


def card(device: str) -> Iterator[Row]:
    """Name the card and its software, and measure its rates of copying and multiplying in float32."""
    cupy: Any = importlib.import_module("cupy")
    with devices.using(device):
        properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        capability = f"compute capability {properties['major']}.{properties['minor']}"
        free, total = cupy.cuda.Device().mem_info
        size = f"{free / 2**30:.0f} of {total / 2**30:.0f} GiB free"
        yield Row("card", f"{environment.gpu(device)}, {capability}, {size}")
        driver, runtime, cublas = environment.cuda_versions(device).values()
        cuda = f"driver for CUDA {driver}, runtime {runtime}, cuBLAS {cublas}"
        yield Row("software", f"{cuda}, CuPy {cupy.__version__}, NumPy {np.__version__}")
        a, b = cupy.zeros(COPY // 4, np.float32), cupy.ones(COPY // 4, np.float32)
        seconds = _median(cupy, lambda: cupy.copyto(a, b))
        yield Row("copy on the card, read and written", f"{2 * COPY / seconds / 1e9:.0f} GB/s")
        a, b = (cupy.asarray(np.random.default_rng(0).random((SQUARE, SQUARE), np.float32)) for _ in range(2))
        seconds = _median(cupy, lambda: a @ b)
        yield Row(f"float32 product of {SQUARE} x {SQUARE} matrices", f"{2 * SQUARE**3 / seconds / 1e12:.1f} TFLOP/s")


def _median(cupy: Any, work: Any) -> float:
    """Return the median of seconds that some work on the device takes."""
    times = []
    for _ in range(_ROUNDS + 1):  # the first waits for earlier work, too
        started = time.perf_counter()
        work()
        cupy.cuda.get_current_stream().synchronize()
        times.append(time.perf_counter() - started)
    return float(np.median(times[1:]))


def memory(device: str) -> Iterator[Row]:
    """Compare what a group takes of the card with the estimate that bounds groups."""
    cupy: Any = importlib.import_module("cupy")
    data = digits(*IMAGES)
    group = trials("seeds: 50\ntraining: {steps: 2, batch: 4}", data)
    with devices.using(device):
        pool = cupy.get_default_memory_pool()
        gc.collect()  # networks form cycles, and earlier ones would leave their memory to this one
        pool.free_all_blocks()
        before = pool.total_bytes()
        training = Training(group, data, engine=CUDA, device=device)
        for _ in training:
            pass
        used = pool.total_bytes() - before
    estimate = need(group[0], data, Backend(CUDA, device)).of(len(group))
    result = f"{used / 2**20:.0f} MiB, estimated {estimate / 2**20:.0f} MiB"
    yield Row(f"memory of {len(group)} replicas", result, "at most the estimate", used <= estimate)


def jobs(device: str) -> Iterator[Row]:
    """Time steps of four jobs, by the CUDA and the CPU engine."""
    for name, (text, many) in _JOBS.items():
        yield from guarded(name, _job(device, name, text, many))


def _job(device: str, name: str, text: str, many: int) -> Iterator[Row]:
    data = digits(*IMAGES)
    group = trials(f"training.steps: {10 * many}\n{text}", data)
    ours = _seconds_a_step(group, data, CUDA, device, many) / len(group)
    result = f"{1e3 * ours:.3g} ms a step and replica"
    if support.problem() is None:
        cpu = _seconds_a_step(group, data, CPU, "cpu", max(1, many // 20)) / len(group)
        result += f"; CPU engine {1e3 * cpu:.3g} ms, {cpu / ours:.3g} times as long"
    yield Row(name, result)


def _seconds_a_step(group: Any, data: Any, engine: str, device: str, many: int) -> float:
    training = Training(group, data, engine=engine, device=device)
    training.rehearse(steps=many, record=False)  # compiles, and draws the first epochs
    started = time.perf_counter()
    training.rehearse(steps=many, record=False)
    return (time.perf_counter() - started) / many
