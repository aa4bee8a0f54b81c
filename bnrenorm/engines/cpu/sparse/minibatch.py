"""The minibatches of some steps, gathered once for all replicas that share them, without black pixels.

Replicas then read memory in order, however their images are scattered over the training set.
"""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.engines.cpu.sparse import fours
from bnrenorm.engines.cpu.sparse.fours import ImageFours, PixelFours


class Minibatches(NamedTuple):
    """S batches of at most N images."""

    counts: Any  # (S,): images of a step
    labels: Any  # (S, N) int32
    images: ImageFours
    pixels: PixelFours


Memory = tuple[ImageFours, PixelFours]


def allocate(steps: int, largest: int, depth: int, dtype: np.dtype) -> Memory:
    """Allocate for up to so many steps with at most so many images of D = `depth` pixels each."""
    size = steps, largest, depth, dtype
    return fours.images_of(*size), fours.pixels_of(*size)


def gather(
    images: np.ndarray, labels: np.ndarray, drawn: np.ndarray, counts: np.ndarray, memory: Memory
) -> Minibatches:
    """Gather batches (S, N), the first counts[s] of each, from images (M, D) and labels (M,), in this memory."""
    fours.gather(images, drawn.astype(np.int64), counts, *memory)
    return Minibatches(counts, labels[drawn], *memory)
