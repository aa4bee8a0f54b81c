"""What all contenders of a job share: images, initial weights and batches."""

from functools import cache

import numpy as np

from benchmarks.jobs import Job
from bnrenorm.config.schema import Iid
from bnrenorm.data import dataset
from bnrenorm.data.sampling import Sampler
from bnrenorm.rng import Stream, generator

BLOCK = 10_000
"""Images per forward pass of the peers in evaluation."""

SIZES = {"train_set": 60_000, "test": 10_000}
"""Images of each set."""


@cache
def digits(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (N, 784), float32 in 0..1, and labels (N,), int64, of the "train_set" or the "test" set."""
    data, split = dataset.load(), "test" if name == "test" else "train"
    return data.scaled(split), data.labels(split).astype(np.int64)


def blocks(name: str) -> list[slice]:
    """Return slices of `BLOCK` images; both sets are multiples of it."""
    return [slice(start, start + BLOCK) for start in range(0, len(digits(name)[0]), BLOCK)]


def evaluated(job: Job, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels of a set that the job evaluates, its first 1 / `eval_share`."""
    images, labels = digits(name)
    count = len(images) // job.eval_share
    return images[:count], labels[:count]


@cache
def batches(job: Job, seed: int, steps: int | None = None) -> np.ndarray:
    """Return the image indices of the batches of the first epoch, or of its first steps, (steps, N), drawn by bnrenorm.

    Peers repeat them and draw them before the measurement; bnrenorm draws its batches during the measurement.
    """
    sampler = Sampler(Iid(kind="iid", size=job.batch), digits("train_set")[1])
    steps = steps or len(sampler.labels) // job.batch
    return np.stack([sampler.indices(seed, step) for step in range(steps)])


def weights(job: Job, layer: int, seed: int) -> np.ndarray:
    """Return a layer's initial weights (K, D) with variance 1 / D; biases are 0, gamma 1, beta 0."""
    return _drawn(*job.widths[layer : layer + 2], layer, seed)


@cache
def _drawn(fan_in: int, width: int, layer: int, seed: int) -> np.ndarray:
    draws = generator(seed, Stream.WEIGHTS, layer).standard_normal((width, fan_in))
    return (draws / np.sqrt(fan_in)).astype(np.float32)
