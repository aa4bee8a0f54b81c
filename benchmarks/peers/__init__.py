"""Who is measured. Every module has `prepare(job, replicas)`, which returns a `Run`; it imports what it needs."""

from collections.abc import Callable

import numpy as np

Values = dict[str, np.ndarray]
"""Means over a round, (R,) each: train_loss of its steps, and <set>_loss and <set>_accuracy of every set it judged."""

Run = Callable[[], Values]
"""Takes a round's steps from where the last one ended, judges if the job does, and returns when all that is done."""


class Missing(Exception):
    """A contender cannot run here; the text says why."""
