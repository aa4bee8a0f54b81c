"""Schedules of r_max and d_max: pure functions of the training step."""

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from bnrenorm.errors import InputError


@dataclass(frozen=True)
class Ramp:
    """Piecewise linear schedule: `first` until step `start`, then linear to `last` over `length` steps, then constant.

    All four are numbers, or arrays or lists that broadcast together (one element per replica). `length` 0 is a jump at
    `start`. Steps count training batches from 0. [BRN17, sec. 4] ramps r_max from 1 to 3 and d_max from 0 to 5. Raises
    TypeError for what is no number, and InputError for one that is not finite, a negative length, and shapes that do
    not broadcast.
    """

    first: Any
    last: Any
    start: Any = 0
    length: Any = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if np.asarray(value).dtype.kind not in "iuf":
                raise TypeError(f"Ramp: {name} is {value!r}, expected a number")
            if not np.all(np.isfinite(value)):
                raise InputError(f"Ramp: {name} is {value!r}, expected a finite number")
            if isinstance(value, list | tuple):
                object.__setattr__(self, name, np.asarray(value))
        if np.any(np.less(self.length, 0)):
            raise InputError(f"Ramp: length is {self.length!r}, expected a number of steps, at least 0")
        shapes = [np.shape(value) for value in vars(self).values()]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError as error:
            raise InputError(f"Ramp: {', '.join(vars(self))} have shapes that do not broadcast: {shapes}") from error

    def __call__(self, step: Any) -> Any:
        """Return the value at a step: a float, or a float64 array if the step or any field is an array.

        step: a number, or an array of steps that broadcasts with the fields.
        """
        elapsed = step - np.asarray(self.start)
        progress = np.where(np.equal(self.length, 0), elapsed >= 0, elapsed / np.maximum(self.length, 1)).clip(0, 1)
        value = (1 - progress) * self.first + progress * self.last
        return float(value) if value.ndim == 0 else value


def limits(norm: Any) -> tuple[Ramp, Ramp]:
    """Return r_max and d_max of a training by the settings of its norm (`config.norms.Renorm`, durations in steps).

    Norms without such settings have 1 and 0, with which renormalisation is batch normalisation.
    """
    if norm.kind != "renorm":
        return Ramp(1, 1), Ramp(0, 0)
    start = norm.warmup.amount
    return Ramp(1, norm.r_max, start, norm.ramp_r.amount), Ramp(0, norm.d_max, start, norm.ramp_d.amount)


class Limits(TypedDict):
    """The limits of r and d as arguments of `BatchRenormalization`."""

    r_max: Ramp
    d_max: Ramp


PAPER_SCHEDULE: Limits = {
    "r_max": Ramp(1, 3, start=5_000, length=35_000),
    "d_max": Ramp(0, 5, start=5_000, length=20_000),
}
"""Batch normalisation until step 5k, then d_max rises until step 25k and r_max until 40k. [BRN17, sec. 4]"""
