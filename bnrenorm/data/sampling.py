"""Batch sampling as a pure function of (seed, step): nothing to store for a resume.

Variants with the same seed get the same batches, which makes their comparison paired. `full`, `iid` and `sorted` go
through the data in epochs; `non_iid` draws each batch independently. [BRN17, sec. 4.3]
"""

from functools import lru_cache

import numpy as np

from bnrenorm.config.schema import Batch, ClassSorted, Full, NonIid
from bnrenorm.errors import InputError
from bnrenorm.rng import Stream, generator


class Sampler:
    """Draws the batches of one regime from a training set with the given labels (N,).

    Raises InputError if the training set has too few classes, or images of a class, for the batch.
    """

    def __init__(self, batch: Batch, labels: np.ndarray):
        self.batch, self.labels = batch, labels
        if isinstance(batch, NonIid):
            self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
            _check_classes(batch, self.members)

    def indices(self, seed: int, step: int) -> np.ndarray:
        """Return the indices of the images in the batch of a step (counted from 0), int64 (N,)."""
        batch, n = self.batch, len(self.labels)
        if isinstance(batch, Full):
            return np.arange(n)
        if isinstance(batch, NonIid):
            return self._non_iid(batch, seed, step)
        epoch, batch_in_epoch = divmod(step, batch.steps_per_epoch(n))
        if isinstance(batch, ClassSorted):
            order = _sorted_order(seed, epoch, n, batch.shuffle, self.labels.tobytes())
        else:
            order = _iid_order(seed, epoch, n, batch.shuffle)
        return order[batch_in_epoch * batch.size : (batch_in_epoch + 1) * batch.size]

    def _non_iid(self, batch: NonIid, seed: int, step: int) -> np.ndarray:
        random = generator(seed, Stream.BATCHES, step)
        classes = random.choice(len(self.members), batch.classes, replace=False)
        return np.concatenate([random.choice(self.members[c], batch.images, replace=False) for c in classes])


def _check_classes(batch: NonIid, members: list[np.ndarray]) -> None:
    if batch.classes > len(members):
        raise InputError(f"training.batch.classes is {batch.classes}, but the training set has {len(members)} classes")
    smallest = min(map(len, members))
    if batch.images > smallest:
        raise InputError(f"training.batch has {batch.images} images a class, but the smallest class has {smallest}")


@lru_cache(maxsize=64)
def _iid_order(seed: int, epoch: int, n: int, shuffle: bool) -> np.ndarray:
    return generator(seed, Stream.BATCHES, epoch).permutation(n) if shuffle else np.arange(n)


@lru_cache(maxsize=64)
def _sorted_order(seed: int, epoch: int, n: int, shuffle: bool, labels: bytes) -> np.ndarray:
    shuffled = _iid_order(seed, epoch, n, shuffle)
    return shuffled[np.argsort(np.frombuffer(labels, np.int32)[shuffled], kind="stable")]
