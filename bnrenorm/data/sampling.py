"""How batches are drawn: pure functions of (seed, step), with nothing to store for a resume.

Every drawer returns the indices of one batch, (N,) int64. Variants of one seed draw the same batches, which pairs their
comparison. A regime whose batches walk through the data has epochs; `non_iid` draws afresh at every step.
"""

from functools import lru_cache

import numpy as np

from bnrenorm.config.schema import Batch, ClassSorted, Full, NonIid
from bnrenorm.errors import InputError
from bnrenorm.rng import Stream, generator


class Sampler:
    """Draws the batches of one regime from a training set with these labels (N,)."""

    def __init__(self, batch: Batch, labels: np.ndarray):
        self.batch, self.labels = batch, labels
        if isinstance(batch, NonIid):
            self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
            _check_classes(batch, self.members)

    def indices(self, seed: int, step: int) -> np.ndarray:
        """Draw the batch of one step, counted from 0."""
        batch, n = self.batch, len(self.labels)
        if isinstance(batch, Full):
            return np.arange(n)
        if isinstance(batch, NonIid):
            return self._of_classes(batch, seed, step)
        epoch, place = divmod(step, batch.steps_per_epoch(n))
        order = _sorted_order if isinstance(batch, ClassSorted) else _iid_order
        walk = order(seed, epoch, n, batch.shuffle, self.labels.tobytes() if isinstance(batch, ClassSorted) else b"")
        return walk[place * batch.size : (place + 1) * batch.size]

    def _of_classes(self, batch: NonIid, seed: int, step: int) -> np.ndarray:
        random = generator(seed, Stream.BATCHES, step)
        classes = random.choice(len(self.members), batch.classes, replace=False)
        return np.concatenate([random.choice(self.members[c], batch.images, replace=False) for c in classes])


def _check_classes(batch: NonIid, members: list[np.ndarray]) -> None:
    if batch.classes > len(members):
        raise InputError(f"training.batch.classes is {batch.classes}, but the training set has {len(members)} classes")
    fewest = min(map(len, members))
    if batch.images > fewest:
        raise InputError(f"training.batch has {batch.images} images a class, but the smallest class has {fewest}")


@lru_cache(maxsize=64)
def _iid_order(seed: int, epoch: int, n: int, shuffle: bool, _: bytes) -> np.ndarray:
    return generator(seed, Stream.BATCHES, epoch).permutation(n) if shuffle else np.arange(n)


@lru_cache(maxsize=64)
def _sorted_order(seed: int, epoch: int, n: int, shuffle: bool, labels: bytes) -> np.ndarray:
    shuffled = _iid_order(seed, epoch, n, shuffle, b"")
    return shuffled[np.argsort(np.frombuffer(labels, np.int32)[shuffled], kind="stable")]
