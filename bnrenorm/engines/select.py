"""Making the engine of a group."""

from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CPU
from bnrenorm.engines.chainer import ChainerEngine
from bnrenorm.engines.device import chainer_device
from bnrenorm.engines.engine import Engine
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.replicas import Replicas
from bnrenorm.network import mlp


def make_engine(name: str, trials: list[Trial], data: Dataset, device: str, network: mlp.MLP | None = None) -> Engine:
    """Make the engine "cpu" or "chainer" (`backend`) for the trials of one structure.

    `network` is trained in place of the one that the trials ask for. Raises ValueError if the engine has no kernels
    for the trials.
    """
    place = chainer_device(device)
    inputs = Inputs(trials[0].settings, data, place)
    replicas = Replicas(trials, network or mlp.build(trials, data.inputs), place)
    if name == CPU:
        from bnrenorm.engines.cpu.engine import CpuEngine  # takes numba's import time

        return CpuEngine(replicas, inputs)
    return ChainerEngine(replicas, inputs)
