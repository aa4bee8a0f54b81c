"""The grid: settings that vary besides the variants, one axis a key, and how changes are laid over settings."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from bnrenorm.config.document import Document, Path
from bnrenorm.config.trial import Point
from bnrenorm.errors import InputError


@dataclass(frozen=True)
class Value:
    """One value of one axis: how tables call it, the settings it changes, and where these stand in the document."""

    axis: str
    label: Any
    changes: dict[str, Any]
    origin: Path

    @property
    def leaves(self) -> dict[Path, Path]:
        """Map the path of every changed setting to its path in the document."""
        named = self.origin != ("grid", self.axis)
        return {path: (*self.origin, *path) if named else self.origin for path in _leaves(self.changes)}


def points(document: Document) -> list[tuple[Value, ...]]:
    """List the grid's points, the last axis varying fastest; one empty point without a grid.

    An axis is a dotted key with a list of values, or any name with a group of named changes. Raises InputError.
    """
    return list(itertools.product(*(_axis(document, key, each) for key, each in group(document, "grid").items())))


def point(values: tuple[Value, ...]) -> Point:
    """Return a point as tables have it: (axis, label) pairs."""
    return tuple((value.axis, value.label) for value in values)


def _axis(document: Document, key: str, found: Any) -> list[Value]:
    place = document.place(("grid", key))
    if isinstance(found, dict) and found:
        for name, changes in found.items():
            if not isinstance(changes, dict | None):
                where = document.place(("grid", key, name))
                raise InputError(f"{where}: {name} is {changes!r}, expected a group of settings")
        return [Value(key, name, changes or {}, ("grid", key, name)) for name, changes in found.items()]
    if not isinstance(found, list) or not found:
        raise InputError(f"{place}: {key} is {found!r}, expected a list of values, or a group of named changes")
    if any(isinstance(value, dict) for value in found):
        raise InputError(f"{place}: {key} has a group as a value; name the groups (name: {{...}}) instead")
    if len({json.dumps(value, default=str) for value in found}) < len(found):
        raise InputError(f"{place}: {key} has a repeated value in {found!r}")
    return [
        Value(key, tuple(value) if isinstance(value, list) else value, nested(key, value), ("grid", key))
        for value in found
    ]


def nested(key: str, value: Any) -> dict[str, Any]:
    """Turn "a.b" and a value into {"a": {"b": value}}."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _leaves(changes: Any, path: Path = ()) -> list[Path]:
    if not isinstance(changes, dict):
        return [path]
    return [leaf for key, value in changes.items() for leaf in _leaves(value, (*path, key))]


def without(changes: dict[str, Any], dropped: set[Path], path: Path = ()) -> dict[str, Any]:
    """Leave out the settings at the dropped paths, and the groups that are empty then."""
    kept = {}
    for key, value in changes.items():
        inner = without(value, dropped, (*path, key)) if isinstance(value, dict) else value
        if (*path, key) not in dropped and not (value and inner == {}):
            kept[key] = inner
    return kept


def lay(base: Any, changes: Any, path: Path, origin: Path, origins: dict[Path, Path]) -> Any:
    """Lay the changes over the base, group by group; a group of another kind replaces the base's whole.

    `origins` receives where in the document each changed key stands.
    """
    origins[path] = origin
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    kinds = [each["kind"] for each in (base, changes) if "kind" in each]
    if kinds and kinds[0] != kinds[-1]:
        base = {}
    merged = dict(base)
    for key, value in changes.items():
        merged[key] = lay(base.get(key), value, (*path, key), (*origin, key), origins)
    return merged


def group(document: Document, key: str) -> dict[str, Any]:
    """Return a group of the document, empty if it is not there. Raises InputError if it is something else."""
    value = document.data.get(key) or {}
    if not isinstance(value, dict):
        raise InputError(f"{document.place((key,))}: {key} is {value!r}, expected a group of settings")
    return value
