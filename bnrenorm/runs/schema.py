"""What stored trials and checkpoints must contain, whoever wrote them: an older version may have."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from bnrenorm.training.records import CURVES, Columns

_REQUIRED = {"step", "epoch", *CURVES[:4]}


def _consistent(columns: Columns) -> Columns:
    """Check that columns are of equal length and that steps are whole, increasing numbers; there may be none at all."""
    steps = columns.get("step", [])
    if columns and (not columns.keys() >= _REQUIRED or {len(values) for values in columns.values()} != {len(steps)}):
        raise ValueError(f"expected columns of equal length, among them {', '.join(sorted(_REQUIRED))}")
    if not all(map(float.is_integer, steps)) or steps != sorted(set(steps)) or min(steps, default=0) < 0:
        raise ValueError("expected steps that are whole, increasing numbers")
    return {**columns, "step": [int(step) for step in steps]} if columns else columns


def _trained(columns: Columns) -> Columns:
    if not columns or columns["step"][-1] < 1:
        raise ValueError("expected a record after the first step")
    return columns


def _made_by(provenance: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(provenance.get(name), str) for name in ("engine", "device", "date")):
        raise ValueError("expected engine, device and date")
    return provenance


Records = Annotated[Columns, AfterValidator(_consistent)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class StoredTrial(BaseModel):
    """The part of a stored trial's file that is read again; `training.records.TrialResults` explains it."""

    key: str
    outcome: Literal["finished", "diverged"]
    seconds: Seconds
    provenance: Annotated[dict[str, Any], AfterValidator(_made_by)]
    records: Annotated[Records, AfterValidator(_trained)]


class StoredCheckpoint(BaseModel):
    """A checkpoint without its arrays: the keys of the group's trials, and for each of them its records so far."""

    keys: list[Annotated[str, Field(pattern="^[0-9a-f]{16}$")]] = Field(min_length=1)
    seconds: Seconds
    records: list[Records]


def plain(columns: Columns) -> dict[str, list[float | str]]:
    """Return columns for JSON, which lacks NaN and infinity: as text, which is read back as a number."""
    return {
        name: [value if math.isfinite(value) else str(value) for value in values] for name, values in columns.items()
    }
