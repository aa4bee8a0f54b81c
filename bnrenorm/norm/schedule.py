"""Limits of the correction as pure functions of the training step."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ramp:
    """`first` up to step `start`, then a straight line to `last` over `length` steps, `last` from there on.

    All four are numbers, or arrays that broadcast together, one element a replica. `length` 0 is a jump at `start`.
    A step counts training batches from 0. [BRN17, sec. 4] ramps r_max from 1 and d_max from 0.
    """

    first: Any
    last: Any
    start: Any = 0
    length: Any = 0

    def __call__(self, step: int) -> Any:
        """Return the value at a step: a float, or a float64 array."""
        past = step - np.asarray(self.start)
        share = np.where(np.equal(self.length, 0), past >= 0, past / np.maximum(self.length, 1)).clip(0, 1)
        value = (1 - share) * self.first + share * self.last
        return float(value) if value.ndim == 0 else value
