"""What all contenders of a job share: the images, the first weights and the batches."""

from functools import cache

import numpy as np

from benchmarks.jobs import Job
from bnrenorm.config.schema import Iid
from bnrenorm.data import dataset
from bnrenorm.data.sampling import Sampler
from bnrenorm.rng import Stream, generator

BLOCK = 10_000
"""Images that peers judge at a time."""


@cache
def digits(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (N, 784), float32 in 0..1, and labels (N,), int64, of the "train_set" or the "test" set."""
    data, split = dataset.load(), "test" if name == "test" else "train"
    return data.scaled(split), data.labels(split).astype(np.int64)


def blocks(name: str) -> list[slice]:
    """Cut a set into blocks of `BLOCK` images, which divides both sets."""
    return [slice(start, start + BLOCK) for start in range(0, len(digits(name)[0]), BLOCK)]


@cache
def batches(job: Job, seed: int) -> np.ndarray:
    """Return the images of every batch of the first epoch, (steps, N), as bnrenorm draws them.

    Peers take the same epoch again and again, and have it before the clock starts; bnrenorm draws as it goes.
    """
    sampler = Sampler(Iid(kind="iid", size=job.batch), digits("train_set")[1])
    return np.stack([sampler.indices(seed, step) for step in range(len(sampler.labels) // job.batch)])


def weights(job: Job, layer: int, seed: int) -> np.ndarray:
    """Draw the first weights (K, D) of a layer, of variance 1 / D; biases are 0, gamma 1, beta 0."""
    fan_in, width = job.widths[layer : layer + 2]
    draws = generator(seed, Stream.WEIGHTS, layer).standard_normal((width, fan_in))
    return (draws / np.sqrt(fan_in)).astype(np.float32)
