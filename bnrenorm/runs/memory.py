"""Whether a group of trials fits in the memory that it may take."""

from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines import chainer_memory
from bnrenorm.engines.backend import CHAINER, CPU, Backend
from bnrenorm.engines.cpu import memory as cpu_memory
from bnrenorm.engines.cuda import memory as cuda_memory
from bnrenorm.engines.memory import Need
from bnrenorm.errors import InputError
from bnrenorm.numbers import size


def need(trial: Trial, data: Dataset, backend: Backend) -> Need:
    """Estimate the memory of groups of trials like this one: a GPU's, or the host's where a CPU trains."""
    engine = backend.engine_for(trial.settings)
    if engine == CHAINER:
        return chainer_memory.need(trial.settings, data, on_gpu=backend.device != "cpu")
    return (cpu_memory if engine == CPU else cuda_memory).need(trial.settings, data)


def check(trial: Trial, needed: Need, memory: int, sharing: int = 1) -> None:
    """Raise InputError if a group of this trial alone needs more than the memory, the share of each of `sharing`."""
    if needed.of(1) > memory:
        share, fewer = ("", "") if sharing == 1 else (f" as one of {sharing} workers", ", fewer --workers")
        raise InputError(
            f"{trial.variant}: one network needs about {size(needed.of(1))} of memory, but may take {size(memory)}"
            f"{share}; choose a smaller network or batch{fewer}, or a larger --memory"
        )
