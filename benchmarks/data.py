"""What all contenders of a job share: images, initial weights and batches."""

from functools import cache
from pathlib import Path

import numpy as np

from benchmarks import synthetic
from benchmarks.jobs import Images, Job
from benchmarks.peers import Missing
from bnrenorm.config.schema import Data, Iid
from bnrenorm.data.dataset import Dataset, load
from bnrenorm.data.sampling import Sampler
from bnrenorm.rng import Stream, generator

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package has the four files."""

BLOCK = 10_000
"""Images per forward pass of the peers in evaluation."""

SIZES = {"train_set": 60_000, "test": 10_000}
"""Images of each set."""


_chosen: Images = "digits"


def choose(images: Images) -> None:
    """Set the images that this process trains on; it trains one job."""
    global _chosen
    _chosen = images


def missing(images: Images) -> str:
    """Return why a job cannot have these images, "" if it can."""
    if images != "fashion" or FASHION.is_dir():
        return ""
    return f"Fashion-MNIST is not installed: {FASHION}, the Debian package dataset-fashion-mnist"


def dataset() -> Dataset:
    """Return the chosen images. Raises Missing if they are not installed."""
    return _dataset(_chosen)


@cache
def _dataset(name: Images) -> Dataset:
    if name == "digits":
        return load()
    if name != "fashion":
        return synthetic.pictures(lit=0.5 if name == "half lit" else 1.0)
    if reason := missing(name):
        raise Missing(reason)
    return load(Data(path=str(FASHION)))


def images(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (N, 784), float32 in 0..1, and labels (N,), int64, of the "train_set" or the "test" set."""
    return _arrays(_chosen, name)


@cache
def _arrays(chosen: Images, name: str) -> tuple[np.ndarray, np.ndarray]:
    split = "test" if name == "test" else "train"
    return _dataset(chosen).scaled(split), _dataset(chosen).labels(split).astype(np.int64)


def blocks(job: Job, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the images and labels of a set that a job evaluates, in blocks of equal size, at most `BLOCK` images."""
    x, t = (array[: len(array) // job.eval_share] for array in images(name))
    size = min(BLOCK, len(x))
    return [(x[start : start + size], t[start : start + size]) for start in range(0, len(x), size)]


@cache
def batches(job: Job, seed: int, steps: int | None = None) -> np.ndarray:
    """Return the image indices of the batches of the first epoch, or of its first steps, (steps, N), drawn by bnrenorm.

    Peers repeat them and draw them before the measurement; bnrenorm draws its batches during the measurement.
    """
    sampler = Sampler(Iid(kind="iid", size=job.batch), images("train_set")[1])
    steps = steps or len(sampler.labels) // job.batch
    return sampler.table([seed], 0, steps)[0][:, 0].astype(np.int64)


def weights(job: Job, layer: int, seed: int) -> np.ndarray:
    """Return a layer's initial weights (K, D) with variance 1 / D; biases are 0, gamma 1, beta 0."""
    return _drawn(*job.widths[layer : layer + 2], layer, seed)


@cache
def _drawn(fan_in: int, width: int, layer: int, seed: int) -> np.ndarray:
    draws = generator(seed, Stream.WEIGHTS, layer).standard_normal((width, fan_in))
    return (draws / np.sqrt(fan_in)).astype(np.float32)
