"""Durations in configs: steps, epochs or a percentage of the training."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

_TEXT = re.compile(r"(?P<amount>\d+(\.\d+)?)\s*(?P<unit>steps?|epochs?|%)")


@dataclass(frozen=True)
class Duration:
    """An amount (>= 0) of a unit: "steps", "epochs" or "%" (of the training's steps)."""

    amount: float
    unit: str

    @classmethod
    def parse(cls, value: Any) -> "Duration":
        """Parse 50 (steps), "50 steps", "2 epochs" or "10%". Raises ValueError that names these forms."""
        if isinstance(value, Duration):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(value, "steps")
        match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ValueError("expected a duration such as 50, 50 steps, 2 epochs or 10%")
        amount, unit = float(match["amount"]), match["unit"]
        if unit.startswith("step") and amount != int(amount):
            raise ValueError("expected a whole number of steps")
        return cls(amount, unit if unit == "%" else unit.rstrip("s") + "s")

    def steps(self, *, per_epoch: int, total: int) -> int:
        """Return the duration in steps, rounded to the nearest (halves up).

        per_epoch: steps per epoch; total: length of the training in steps.
        """
        per_unit = {"steps": 1.0, "epochs": per_epoch, "%": total / 100}[self.unit]
        return math.floor(self.amount * per_unit + 0.5)

    def serialise(self) -> int | str:
        """Return the inverse of `parse`: an int for steps, a string otherwise."""
        return int(self.amount) if self.unit == "steps" else f"{self.amount:g}{' ' * (self.unit != '%')}{self.unit}"


DurationField = Annotated[Duration, PlainValidator(Duration.parse), PlainSerializer(Duration.serialise)]


def steps(count: int) -> Duration:
    """Return a duration of that many steps."""
    return Duration(count, "steps")
