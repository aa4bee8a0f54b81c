"""Construction of a group's engine."""

from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CPU, CUDA, CUDA_TF32
from bnrenorm.engines.chainer import ChainerEngine
from bnrenorm.engines.device import chainer_device
from bnrenorm.engines.engine import Engine
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.replicas import Replicas
from bnrenorm.network import mlp


def make_engine(name: str, trials: list[Trial], data: Dataset, device: str, network: mlp.MLP | None = None) -> Engine:
    """Return an engine by its name in `backend` for trials of one structure.

    `network` is trained instead of the one that the trials describe. Only the engine "chainer" trains everything: see
    `spec.is_compiled`.
    """
    target = chainer_device(device)
    inputs = Inputs(trials[0].settings, data, target)
    replicas = Replicas(trials, network or mlp.build(trials, data.inputs), target)
    if name == CPU:
        from bnrenorm.engines.cpu.engine import CpuEngine  # imports numba, which takes time

        return CpuEngine(replicas, inputs)
    if name in (CUDA, CUDA_TF32):
        from bnrenorm.engines.cuda.engine import CudaEngine  # imports CuPy

        return CudaEngine(replicas, inputs, tf32=name == CUDA_TF32)
    return ChainerEngine(replicas, inputs)
