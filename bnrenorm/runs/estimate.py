"""How long a group will take to train, estimated from a few steps."""

import math
import time

from bnrenorm.config import Trial
from bnrenorm.config.schema import Full
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CPU, Backend
from bnrenorm.training.loop import Training

_STEPS = 50  # timed steps of the CPU engine with minibatches, which are short; 2 in all other cases


def estimate_seconds(group: list[Trial], data: Dataset, backend: Backend) -> float:
    """Estimate a group's training time from timed steps and one timed record on this machine."""
    settings = group[0].settings
    engine = backend.engine_for(settings)
    training = Training(group, data, engine=engine, device=backend.device)
    training.rehearse()  # the first step is slower than the others
    steps = _STEPS if engine == CPU and not isinstance(settings.training.batch, Full) else 2
    started = time.perf_counter()
    training.rehearse(steps=steps, record=False)
    step = (time.perf_counter() - started) / steps
    started = time.perf_counter()
    training.rehearse()
    record = max(0.0, time.perf_counter() - started - step)
    return training.total * step + math.ceil(training.total / training.every) * record
