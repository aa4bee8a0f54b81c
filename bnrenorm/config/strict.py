"""The base class of all config models."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Frozen; rejects unknown keys, wrong types (no coercion), NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
