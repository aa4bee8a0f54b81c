"""The base of everything that a config may say."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Frozen, without coercion between types, without unknown keys, without NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
