"""How long groups will take to train, estimated from a few steps."""

import gc
import itertools
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from bnrenorm.config import Trial
from bnrenorm.config.schema import Full
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines import device as devices
from bnrenorm.engines.backend import CHAINER, CPU, CUDA, CUDA_TF32, Backend
from bnrenorm.errors import InputError, OutOfMemory
from bnrenorm.network import mlp
from bnrenorm.training.loop import Training

_STEPS = 50  # timed steps of compiled engines with minibatches, which are short; 2 in all other cases
_LONG = 0.2  # seconds that the CPU engine's steps are timed for: a few of them are over before caches are warm
_RECORDED = 4  # steps in which the CUDA engine records all that it repeats later: see `engines.cuda.replay`
_BUDGET = 20.0  # seconds after which no further group is timed


def estimates(groups: list[list[Trial]], data: Dataset, backend: Backend) -> Iterator[tuple[float, bool]]:
    """Yield the training time in seconds of each group, and whether it was timed.

    One group of each structure is timed, as long as the budget lasts; the time of the others follows from their work:
    steps x replicas x images of a batch x weights.
    """
    timed: dict[Any, tuple[float, float]] = {}  # by structure: seconds and work of a group
    started = time.perf_counter()
    for group in groups:
        structure, work = mlp.structure(group[0]), _work(group, data)
        is_timed = not timed or (structure not in timed and time.perf_counter() - started < _BUDGET)
        if is_timed:
            timed[structure] = estimate_seconds(group, data, backend), work
        alike = [timed[structure]] if structure in timed else list(timed.values())
        seconds, work_timed = (sum(values) for values in zip(*alike, strict=True))
        yield seconds * work / work_timed, is_timed


def _work(group: list[Trial], data: Dataset) -> float:
    settings = group[0].settings
    model, batch = settings.model, settings.training.batch
    weights = sum(a * b for a, b in itertools.pairwise(model.widths(data.inputs)))
    images = batch.images_per_step(len(data.x_train))
    return settings.training.steps.amount * len(group) * images * weights


def estimate_seconds(group: list[Trial], data: Dataset, backend: Backend) -> float:
    """Estimate a group's training time from timed steps and one timed record on this machine.

    A group that does not fit the memory of a GPU is estimated by its half, as it will be trained in halves.
    """
    gc.collect()  # a network's links form cycles: without this, the group before would still be in memory
    devices.release_memory(backend.device)
    with suppress(OutOfMemory):
        return _timed(group, data, backend)
    half = group[: len(group) // 2]
    if not half:
        raise InputError(f"{group[0].variant}: one network needs more memory than {backend.device} has")
    return estimate_seconds(half, data, backend) * len(group) / len(half)


def _timed(group: list[Trial], data: Dataset, backend: Backend) -> float:
    settings = group[0].settings
    engine = backend.engine_for(settings)
    training = Training(group, data, engine=engine, device=backend.device)
    training.rehearse()  # the first step is slower than the others
    if engine in (CUDA, CUDA_TF32):
        training.rehearse(steps=_RECORDED, record=False)
    steps = _STEPS if engine != CHAINER and not isinstance(settings.training.batch, Full) else 2
    elapsed = _seconds(training, steps)
    while engine == CPU and elapsed < _LONG:
        steps = math.ceil(1.1 * steps * _LONG / max(elapsed, _LONG / 20))  # at most 22 times as many
        elapsed = _seconds(training, steps)
    step = elapsed / steps
    started = time.perf_counter()
    training.rehearse()
    record = max(0.0, time.perf_counter() - started - step)
    return training.total * step + math.ceil(training.total / training.every) * record


def _seconds(training: Training, steps: int) -> float:
    started = time.perf_counter()
    training.rehearse(steps=steps, record=False)  # a GPU's work too is done when this returns
    return time.perf_counter() - started
