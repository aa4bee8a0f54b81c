"""The grid: its axes, each with its values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bnrenorm.config import limits
from bnrenorm.config.document import Document
from bnrenorm.config.reader import Path, shown
from bnrenorm.config.trial import Point
from bnrenorm.errors import InputError

COLUMNS = (
    *("name", "pair", "engine", "device", "seconds", "training_mode_accuracy", "inference_mode_accuracy"),
    *("variant", "settings", "seed", "step", "epoch", "outcome", "seeds", "diverged", "stopped", "gap", "judged"),
    *(f"{split}_{value}" for split in ("train", "test", "validation") for value in ("loss", "accuracy")),
    *("difference", "mean", "low", "high", "p", "p_holm", "pairs", "verdict", "more_seeds"),
)
"""Names that no axis may have, because columns of the tables have them."""

COLUMN = re.compile(r"(final|best|epochs_to|published|layer\d+)_\w+")
"""The form of other such names: those of summaries and of diagnoses."""


@dataclass(frozen=True)
class Value:
    """One value of one axis: its label in tables, the settings that it changes, and their path in the document."""

    axis: str
    label: Any
    changes: dict[str, Any]
    origin: Path


def axes(document: Document) -> list[list[Value]]:
    """Return the values of every axis of the grid; no axes if there is no grid.

    An axis is a dotted key with a list of values, or any name with a group of named changes. Raises InputError for
    anything else.
    """
    return [_axis(document, key, content) for key, content in group(document, "grid").items()]


def point(values: tuple[Value, ...]) -> Point:
    """Return a point as (axis, label) pairs, as tables show it."""
    return tuple((value.axis, value.label) for value in values)


def label(value: Any) -> Any:
    """Return a value as part of a point, which can be hashed: lists and groups become tuples."""
    if isinstance(value, dict):
        value = list(map(list, value.items()))
    return tuple(map(label, value)) if isinstance(value, list) else value


def _axis(document: Document, key: str, content: Any) -> list[Value]:
    location = document.location(("grid", key))
    if key in COLUMNS or COLUMN.fullmatch(str(key)) or not key:
        raise InputError(f"{location}: an axis cannot be called {key!r}, which is a column of the tables")
    if isinstance(content, dict) and content:
        for name, changes in content.items():
            if not isinstance(changes, dict | None):
                location = document.location(("grid", key, name))
                raise InputError(f"{location}: grid.{key}.{name} is {shown(changes)}, expected a group of settings")
        return [Value(key, name, changes or {}, ("grid", key, name)) for name, changes in content.items()]
    if not isinstance(content, list) or not content:
        raise InputError(
            f"{location}: grid.{key} is {shown(content)}, expected a list of values, or a group of named changes"
        )
    if any(isinstance(value, dict) for value in content):
        raise InputError(f"{location}: grid.{key} has a group as a value; name the groups (name: {{...}}) instead")
    labels = [label(value) for value in content]
    if len(set(labels)) < len(labels):
        raise InputError(f"{location}: grid.{key} has a repeated value in {shown(content)}")
    return [
        Value(key, name, nested(key.split("."), value), ("grid", key))
        for name, value in zip(labels, content, strict=True)
    ]


def nested(path: Sequence[str | int], value: Any) -> Any:
    """Return {"a": {"b": value}} for the path a, b."""
    for part in reversed(path[: limits.DEPTH]):  # a longer key is unknown already here
        value = {part: value}
    return value


def group(document: Document, key: str) -> dict[str, Any]:
    """Return a top-level group of the document, empty if it is absent. Raises InputError if it is not a group."""
    value = document.data.get(key)
    if not isinstance(value, dict | None):
        raise InputError(f"{document.location((key,))}: {key} is {shown(value)}, expected a group of settings")
    return value or {}
