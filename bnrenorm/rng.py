"""Randomness as a pure function of (seed, stream, step): no global generator, and no state to store for a resume."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What the random numbers are for. Stored results depend on the values: never renumber, only add."""

    WEIGHTS = 0
    BATCHES = 1
    VALIDATION = 2
    CUSTOM = 3
    DROPOUT = 4
    TEST = 5
    CUSTOM_STEP = 6


def generator(seed: int, stream: Stream, step: int = 0) -> np.random.Generator:
    """Return the generator of a stream at a step; variants of one seed share it, so their comparison is paired."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, step)))
