"""Randomness as a pure function of (seed, stream, step): no global generator, nothing to store for a resume."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What the numbers are for. A value is part of every stored result: never renumber, only add."""

    WEIGHTS = 0
    BATCHES = 1
    VALIDATION = 2
    CUSTOM = 3
    DROPOUT = 4


def generator(seed: int, stream: Stream, step: int = 0) -> np.random.Generator:
    """Make the generator of one purpose at one step; variants of one seed share it, which pairs their comparison."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, step)))
