"""The grid: its axes and points, and how changes are merged into settings."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from bnrenorm.config.document import Document, Path
from bnrenorm.config.trial import Point
from bnrenorm.errors import InputError


@dataclass(frozen=True)
class Value:
    """One value of one axis: its label in tables, the settings it changes, and their path in the document."""

    axis: str
    label: Any
    changes: dict[str, Any]
    origin: Path

    @property
    def leaves(self) -> dict[Path, Path]:
        """Map the path of every changed setting to its path in the document."""
        has_named_values = self.origin != ("grid", self.axis)
        return {path: (*self.origin, *path) if has_named_values else self.origin for path in _leaves(self.changes)}


def points(document: Document) -> list[tuple[Value, ...]]:
    """Return all points of the grid, the last axis varying fastest; one empty point if there is no grid.

    An axis is a dotted key with a list of values, or any name with a group of named changes. Raises InputError for
    anything else.
    """
    axes = [_axis(document, key, content) for key, content in group(document, "grid").items()]
    return list(itertools.product(*axes))


def point(values: tuple[Value, ...]) -> Point:
    """Return a point as (axis, label) pairs, as tables show it."""
    return tuple((value.axis, value.label) for value in values)


def _axis(document: Document, key: str, content: Any) -> list[Value]:
    if isinstance(content, dict) and content:
        for name, changes in content.items():
            if not isinstance(changes, dict | None):
                location = document.location(("grid", key, name))
                raise InputError(f"{location}: {name} is {changes!r}, expected a group of settings")
        return [Value(key, name, changes or {}, ("grid", key, name)) for name, changes in content.items()]
    location = document.location(("grid", key))
    if not isinstance(content, list) or not content:
        raise InputError(f"{location}: {key} is {content!r}, expected a list of values, or a group of named changes")
    if any(isinstance(value, dict) for value in content):
        raise InputError(f"{location}: {key} has a group as a value; name the groups (name: {{...}}) instead")
    if len({json.dumps(value, default=str) for value in content}) < len(content):
        raise InputError(f"{location}: {key} has a repeated value in {content!r}")
    return [
        Value(key, tuple(value) if isinstance(value, list) else value, nested(key, value), ("grid", key))
        for value in content
    ]


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return {"a": {"b": value}} for the key "a.b"."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _leaves(changes: Any, path: Path = ()) -> list[Path]:
    if not isinstance(changes, dict):
        return [path]
    return [leaf for key, value in changes.items() for leaf in _leaves(value, (*path, key))]


def without(changes: dict[str, Any], dropped: set[Path], path: Path = ()) -> dict[str, Any]:
    """Return the changes without the settings at the dropped paths, and without groups that this leaves empty."""
    remaining = {}
    for key, value in changes.items():
        inner = without(value, dropped, (*path, key)) if isinstance(value, dict) else value
        if (*path, key) not in dropped and not (value and inner == {}):
            remaining[key] = inner
    return remaining


def merge(base: Any, changes: Any, path: Path, origin: Path, origins: dict[Path, Path]) -> Any:
    """Return the base with the changes merged in, group by group; a group of another `kind` replaces the base's group.

    path: of the group in the settings; origin: of the changes in the document. Adds to `origins` the path in the
    document of each changed key.
    """
    origins[path] = origin
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    kinds = [group["kind"] for group in (base, changes) if "kind" in group]
    if kinds and kinds[0] != kinds[-1]:
        base = {}
    merged = dict(base)
    for key, value in changes.items():
        merged[key] = merge(base.get(key), value, (*path, key), (*origin, key), origins)
    return merged


def group(document: Document, key: str) -> dict[str, Any]:
    """Return a top-level group of the document, empty if it is absent. Raises InputError if it is not a group."""
    value = document.data.get(key) or {}
    if not isinstance(value, dict):
        raise InputError(f"{document.location((key,))}: {key} is {value!r}, expected a group of settings")
    return value
