"""bnrenorm's engines on the device, run by its own training loop."""

from benchmarks.cuda.device import Device
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run, ours


def prepare(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Train all replicas by the CUDA engine, or by the CPU engine in a rehearsal."""
    return ours.prepare(job, replicas, "cpu" if device.rehearsal else "cuda", device.name)


def prepare_chainer(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Train all replicas by Chainer's graph."""
    return ours.prepare(job, replicas, "chainer", device.name)
