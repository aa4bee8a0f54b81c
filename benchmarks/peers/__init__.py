"""The contenders' implementations. Each module has a function `prepare(job, replicas)` that returns a `Run`."""

from collections.abc import Callable

import numpy as np

Values = dict[str, np.ndarray]
"""Means over a round, (R,) each: train_loss of its steps, and <set>_loss and <set>_accuracy of each evaluated set."""

Run = Callable[[], Values]
"""Takes a round's steps, continuing from the last round; evaluates if the job does; returns when all is finished."""


class Missing(Exception):
    """A contender cannot run here; the message says why."""
