"""The base class of all config models."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

SMALLEST, _LARGEST = 2.0**-126, (2 - 2**-23) * 2.0**127  # normal float32 numbers, in which networks compute


class Strict(BaseModel):
    """Frozen; rejects unknown keys, wrong types (no coercion), NaN, infinity, and numbers beyond float32."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _in_float32(cls, value: Any) -> Any:
        if isinstance(value, float) and abs(value) > _LARGEST:
            raise ValueError(f"expected at most {_LARGEST:.3g}, the largest float32 number")
        return value + 0.0 if isinstance(value, float) else value  # -0 is 0, also as text

    def others(self, *names: str) -> tuple[Any, ...]:
        """Return the values of all settings but the named ones, which need not exist."""
        return tuple(value for name, value in self if name not in names)
