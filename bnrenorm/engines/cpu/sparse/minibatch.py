"""The minibatches of some steps, gathered once for all replicas that share them, without black pixels.

Replicas then read memory in order, however their images are scattered over the training set.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.engines.cpu.sparse import fours
from bnrenorm.engines.cpu.sparse.fours import ImageFours, PixelFours


class Minibatches(NamedTuple):
    """S batches of at largest N images."""

    counts: Any  # (S,): images of a step
    labels: Any  # (S, N) int32
    images: ImageFours
    pixels: PixelFours


class Buffers:
    """Memory for minibatches, kept for the next ones: fresh memory would cost page faults, 3 % of small batches."""

    def __init__(self):
        self.shape: tuple[int, int] = (0, 0)
        self.spare: list[tuple[ImageFours, PixelFours]] = []

    def prepare(self, steps: int, largest: int) -> None:
        """Make memory for up to so many steps and images of a batch; forget that for others."""
        if self.shape != (steps, largest):
            self.shape, self.spare = (steps, largest), []

    def gather(self, images: np.ndarray, labels: np.ndarray, drawn: list[np.ndarray]) -> Minibatches:
        """Gather batches of the images `drawn`, each (n,), from images (M, D) and labels (M,)."""
        counts = np.array([len(batch) for batch in drawn])
        chosen = np.zeros((len(drawn), self.shape[1]), np.int64)
        for row, batch in zip(chosen, drawn, strict=True):
            row[: len(batch)] = batch
        try:
            memory = self.spare.pop()
        except IndexError:  # of a list that several threads share
            size = (*self.shape, images.shape[1], images.dtype)
            memory = fours.images_of(*size), fours.pixels_of(*size)
        fours.gather(images, chosen, counts, *memory)
        return Minibatches(counts, labels[chosen], *memory)

    def free(self, batches: Minibatches) -> None:
        """Take back the memory of batches that nobody needs any more."""
        self.spare.append((batches.images, batches.pixels))
