"""How long something lasts: steps, epochs or a share of the training."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

_TEXT = re.compile(r"(?P<amount>\d+(\.\d+)?)\s*(?P<unit>steps?|epochs?|%)")


@dataclass(frozen=True)
class Duration:
    """An amount of "steps", "epochs" or "%"."""

    amount: float
    unit: str

    @classmethod
    def parse(cls, value: Any) -> "Duration":
        """Read 50, "50 steps", "2 epochs" or "10%". Raises ValueError that says so."""
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
        """Count the steps, rounded to the nearest; total is the training's length in steps."""
        per_unit = {"steps": 1.0, "epochs": per_epoch, "%": total / 100}[self.unit]
        return math.floor(self.amount * per_unit + 0.5)

    def serialise(self) -> int | str:
        """Return what `parse` reads back: an int for steps."""
        return int(self.amount) if self.unit == "steps" else f"{self.amount:g}{' ' * (self.unit != '%')}{self.unit}"


DurationField = Annotated[Duration, PlainValidator(Duration.parse), PlainSerializer(Duration.serialise)]


def steps(count: int) -> Duration:
    """Make a duration of that many steps."""
    return Duration(count, "steps")
