"""Shorthands in settings, and the groups that they stand for.

A shorthand and its group mean the same wherever they meet: `batch: 32` at the top level and `batch.size` in a variant,
in the grid or in --set.
"""

from typing import Any

PAPER_SCHEDULE = {"r_max": 3.0, "d_max": 5.0, "warmup": 5_000, "ramp_r": 35_000, "ramp_d": 20_000}


def longhand(key: str | int, value: Any) -> Any:
    """Return the group for a name or number that stands for it (`batch: 32`, `activation: tanh`); other values as is.

    The last key of the group is the one that the shorthand gives; a `kind` before it is implied.
    `batch: full` is left to `complete`: there is nothing in its group that another setting could be merged into.
    """
    if key == "batch" and type(value) is int:
        return {"kind": "iid", "size": value}
    if key in ("activation", "weight_init") and isinstance(value, str):
        return {"kind": value}
    return value


def as_group(key: str | int, value: Any) -> dict[str, Any] | None:
    """Return the group that settings are merged into at a key with this value; None if there cannot be one."""
    group = {} if value is None or (key, value) == ("batch", "full") else longhand(key, value)
    return group if isinstance(group, dict) else None


def complete(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with groups for all shorthands, and with the `kind` of a batch or an optimizer that has none.

    Such a batch is iid, such an optimizer momentum_sgd. `schedule: paper` is the schedule of [BRN17, sec. 4]: BN
    until step 5k, d_max 5 from step 25k, r_max 3 from 40k; settings that are given next to it take precedence.
    """
    groups = {
        name: {key: longhand(key, value) for key, value in group.items()} if isinstance(group, dict) else group
        for name, group in settings.items()
    }
    training, norm = groups.get("training"), groups.get("norm")
    if isinstance(training, dict):
        if training.get("batch") == "full":
            training["batch"] = {"kind": "full"}
        for key, kind in (("batch", "iid"), ("optimizer", "momentum_sgd")):
            if isinstance(training.get(key), dict):
                training[key] = {"kind": kind, **training[key]}
    if isinstance(norm, dict) and norm.get("schedule") == "paper":
        groups["norm"] = {**PAPER_SCHEDULE, **{key: value for key, value in norm.items() if key != "schedule"}}
    return groups
