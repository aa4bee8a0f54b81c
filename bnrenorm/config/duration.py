"""Durations in configs: steps, epochs or a percentage of the training."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from bnrenorm.config import limits

_TEXT = re.compile(r"(?P<amount>(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?)\s*(?P<unit>steps?|epochs?|%)", re.ASCII)


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
        text = f"{value} steps" if type(value) in (int, float) else value
        match = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            is_negative = isinstance(text, str) and _TEXT.fullmatch(text.strip().removeprefix("-")) is not None
            which = "positive duration" if is_negative else "duration"
            raise ValueError(f"expected a {which} such as 50, 50 steps, 2 epochs or 10%")
        amount, unit = float(match["amount"]), match["unit"]
        if amount > limits.STEPS:
            raise ValueError(f"expected at most {limits.STEPS:,}")
        if unit.startswith("step") and not amount.is_integer():
            raise ValueError("expected a whole number of steps")
        return cls(amount, unit if unit == "%" else unit.rstrip("s") + "s")

    def steps(self, *, per_epoch: int, total: int) -> int:
        """Return the duration in steps, rounded to the nearest (halves up).

        per_epoch: steps per epoch; total: length of the training in steps.
        """
        many, of = {"steps": (1, 1), "epochs": (per_epoch, 1), "%": (total, 100)}[self.unit]
        amount = Fraction(repr(self.amount))  # as it is written, so that 2.3 % of 1500 ends in a half
        return math.floor(amount * many / of + Fraction(1, 2))

    def serialise(self) -> int | str:
        """Return the inverse of `parse`: an int for steps, a string otherwise."""
        if self.unit == "steps":
            return int(self.amount)
        amount = int(self.amount) if float(self.amount).is_integer() else self.amount
        return f"{amount}{' ' * (self.unit != '%')}{self.unit}"


DurationField = Annotated[Duration, PlainValidator(Duration.parse), PlainSerializer(Duration.serialise)]


def steps(count: int) -> Duration:
    """Return a duration of that many steps."""
    return Duration(count, "steps")
