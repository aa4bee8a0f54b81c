"""PyTorch on the device: images, labels, batches and initial weights, which lie there before the clock starts."""
# pyright: reportMissingImports=false
# (PyTorch is the optional extra `bench`.)

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.cuda.device import Device
from benchmarks.jobs import Job, Replica
from benchmarks.peers.torch_single import torch

_BATCHES = 300_000
"""At most so many batches of all seeds together are drawn, and repeated: drawing takes a second then."""

Tensor = Any


@dataclass(frozen=True)
class Batches:
    """The training set (60000, 784) and (60000,), and the indices of each step's batch, (steps, ..., N).

    `rows` is None where every batch is the whole set.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor | None

    def of(self, row: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images (..., N, 784) and labels (..., N) of a step, by its row (..., N)."""
        flat = row.reshape(-1)
        images = self.images.index_select(0, flat).view(*row.shape, self.images.shape[1])
        return images, self.labels.index_select(0, flat).view(row.shape)


def torch_device(device: Device) -> Any:
    """Return PyTorch's device, with arithmetic set to plain float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_flush_denormal(True)
    if not device.rehearsal:
        torch.cuda.set_device(device.name)
    return torch.device(device.name)


def send(array: np.ndarray, device: Device) -> Tensor:
    """Copy an array to the device."""
    return torch.from_numpy(array).to(torch_device(device))


def digits(name: str, device: Device) -> tuple[Tensor, Tensor]:
    """Return images and labels of the "train_set" or the "test" set on the device."""
    return device.kept(("digits", name), lambda: tuple(send(array, device) for array in data.images(name)))


def seeds_of(replicas: list[Replica]) -> list[int]:
    """Return the seeds of replicas, each of them once, in order."""
    return sorted({replica.seed for replica in replicas})


def batches(job: Job, seeds: list[int], device: Device) -> Batches:
    """Return the batches of some of the job's seeds, with rows (steps, S, N)."""
    images, labels = digits("train_set", device)
    if job.full:
        return Batches(images, labels, None)
    epoch = len(images) // job.batch
    steps = min(epoch, max(job.round, _BATCHES // len(job.seeds)))

    def draw() -> Tensor:
        return send(np.stack([data.batches(job, seed, steps) for seed in job.seeds], axis=1), device)

    rows = device.kept(("rows", job.name, steps), draw)
    return Batches(images, labels, rows[:, [job.seeds.index(seed) for seed in seeds]])


def weights(job: Job, layer: int, replicas: list[Replica], device: Device) -> Tensor:
    """Return a layer's initial weights of some replicas, (R, K, D), a new tensor."""

    def draw() -> Tensor:
        return send(np.stack([data.weights(job, layer, seed) for seed in job.seeds]), device)

    drawn = device.kept(("weights", job.name, layer), draw)
    places = [job.seeds.index(replica.seed) for replica in replicas]
    return drawn[torch.tensor(places, device=drawn.device)]


def eval_blocks(job: Job, name: str, rows: int, device: Device) -> list[tuple[Tensor, Tensor]]:
    """Return what the job evaluates of a set, in blocks of at most `rows` images."""
    images, labels = digits(name, device)
    count = data.SIZES[name] // job.eval_share
    starts = range(0, count, rows)
    return [(images[i : min(i + rows, count)], labels[i : min(i + rows, count)]) for i in starts]
