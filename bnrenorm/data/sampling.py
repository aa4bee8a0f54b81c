"""Batch sampling as a pure function of (seed, step): nothing to store for a resume.

Variants with the same seed get the same batches, which makes their comparison paired. `full`, `iid` and `sorted` go
through the data in epochs; `non_iid` draws each batch independently. [BRN17, sec. 4.3]
"""

from collections.abc import Sequence

import numpy as np

from bnrenorm.config.resolve import Misfit
from bnrenorm.config.schema import Batch, ClassSorted, Full, Iid, NonIid
from bnrenorm.rng import Stream, generator


class Sampler:
    """Draws the batches of one regime from a training set with the given labels (N,).

    It keeps the batches of each seed's current epoch, int32 (steps, N) (the next one's too, once a `table` has run into
    it), so that any number of seeds can take turns. Raises Misfit if the training set has too few classes, or images of
    a class, for the batch.
    """

    def __init__(self, batch: Batch, labels: np.ndarray):
        self.batch, self.labels = batch, labels
        self.size = batch.images_per_step(len(labels))
        self.steps_per_epoch = batch.steps_per_epoch(len(labels))
        self._epochs: dict[int, dict[int, np.ndarray]] = {}  # by seed and epoch: its batches (steps, N), padded with 0
        if isinstance(batch, NonIid):
            self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
            _check_classes(batch, self.members)

    def table(self, seeds: Sequence[int], first: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the batches of `steps` steps from step `first` (counted from 0) on, for each of the seeds.

        The indices of the images are int32 (steps, seeds, N), N the size of the largest batch; counts, int64 (steps,),
        says how many of them a step's batch has. Behind those, the indices are 0.
        """
        indices = np.zeros((steps, len(seeds), self.size), np.int32)
        for column, seed in enumerate(seeds):
            self._fill(indices[:, column], seed, first)
        return indices, self.counts(first, steps)

    def counts(self, first: int, steps: int) -> np.ndarray:
        """Return the sizes of the batches of `steps` steps from step `first` on, int64 (steps,)."""
        counts = np.full(steps, self.size)
        if not isinstance(self.batch, NonIid):  # the last batch of an epoch may be smaller
            images = len(self.labels) - (self.steps_per_epoch - 1) * self.size
            is_last = (first + 1 + np.arange(steps)) % self.steps_per_epoch == 0
            counts[is_last] = min(images, self.size)
        return counts

    def missed(self, steps: int) -> np.ndarray:
        """Return the classes of which a training of so many steps sees no image, where no draw decides that."""
        batch = self.batch
        if not isinstance(batch, Iid) or (batch.shuffle and not isinstance(batch, ClassSorted)):
            return self.labels[:0]
        order = np.sort(self.labels) if isinstance(batch, ClassSorted) else self.labels
        return np.setdiff1d(self.labels, order[: min(steps, self.steps_per_epoch) * self.size])

    def _fill(self, indices: np.ndarray, seed: int, first: int) -> None:
        """Write a seed's batches from step `first` on to indices (steps, N)."""
        if isinstance(self.batch, Full):
            indices[...] = np.arange(self.size)
            return
        if isinstance(self.batch, NonIid):
            for row, drawn in enumerate(indices):
                drawn[:] = self._non_iid(self.batch, seed, first + row)
            return
        begin, earliest = 0, first // self.steps_per_epoch
        while begin < len(indices):
            epoch, batch_in_epoch = divmod(first + begin, self.steps_per_epoch)
            batches = self._epoch(self.batch, seed, epoch, earliest)[batch_in_epoch:][: len(indices) - begin]
            indices[begin : begin + len(batches)] = batches
            begin += len(batches)

    def _epoch(self, batch: Iid, seed: int, epoch: int, earliest: int) -> np.ndarray:
        """Return the batches of an epoch (steps, N), padded with 0; forget those of epochs before `earliest`."""
        known = self._epochs.get(seed, {})
        if epoch not in known or min(known) < earliest:
            batches = known[epoch] if epoch in known else self._draw(batch, seed, epoch)
            known = {other: known[other] for other in known if earliest <= other and abs(epoch - other) == 1}
            self._epochs[seed] = known = {**known, epoch: batches}
        return known[epoch]

    def _draw(self, batch: Iid, seed: int, epoch: int) -> np.ndarray:
        n = len(self.labels)
        order = generator(seed, Stream.BATCHES, epoch).permutation(n) if batch.shuffle else np.arange(n)
        if isinstance(batch, ClassSorted):
            order = order[np.argsort(self.labels[order], kind="stable")]
        batches = np.zeros((self.steps_per_epoch, self.size), np.int32)
        order = order[: batches.size]
        batches.ravel()[: len(order)] = order
        return batches

    def _non_iid(self, batch: NonIid, seed: int, step: int) -> np.ndarray:
        random = generator(seed, Stream.BATCHES, step)
        classes = random.choice(len(self.members), batch.classes, replace=False)
        return np.concatenate([random.choice(self.members[c], batch.images, replace=False) for c in classes])


def _check_classes(batch: NonIid, members: list[np.ndarray]) -> None:
    if batch.classes > len(members):
        message = f"is {batch.classes}, but the training set has {len(members)} classes"
        raise Misfit(("training", "batch", "classes"), message)
    smallest = min(map(len, members))
    if batch.images > smallest:
        message = f"has {batch.images} images a class, but the smallest class has {smallest}"
        raise Misfit(("training", "batch"), message)
