"""Schedules of r_max and d_max: pure functions of the training step."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ramp:
    """Piecewise linear schedule: `first` until step `start`, then linear to `last` over `length` steps, then constant.

    All four are numbers, or arrays that broadcast together (one element per replica). `length` 0 is a jump at `start`.
    Steps count training batches from 0. [BRN17, sec. 4] ramps r_max from 1 to 3 and d_max from 0 to 5.
    """

    first: Any
    last: Any
    start: Any = 0
    length: Any = 0

    def __call__(self, step: int) -> Any:
        """Return the value at a step: a float, or a float64 array if any field is an array."""
        elapsed = step - np.asarray(self.start)
        progress = np.where(np.equal(self.length, 0), elapsed >= 0, elapsed / np.maximum(self.length, 1)).clip(0, 1)
        value = (1 - progress) * self.first + progress * self.last
        return float(value) if value.ndim == 0 else value
