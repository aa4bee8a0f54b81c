"""Merge changes into settings, and remember where in the document each setting stands."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bnrenorm.config.reader import Path
from bnrenorm.config.shorthands import longhand


@dataclass(frozen=True)
class Cell:
    """The settings of a variant at a grid point, not yet validated.

    `origins` maps paths in the settings to paths in the document; see `origin`.
    """

    settings: dict[str, Any]
    origins: dict[Path, Path]

    def changed(self, changes: dict[str, Any], origin: Path) -> "Cell":
        """Return the settings with changes merged in, which stand at the path `origin` in the document.

        Groups are merged key by key; a group of another `kind` replaces the one that was there.
        """
        origins = dict(self.origins)
        return Cell(_merge(self.settings, changes, (), origin, origins), origins)

    def origin(self, path: Path) -> Path:
        """Return the path in the document of a setting: that of the innermost group or value known to contain it."""
        known = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in self.origins)
        return (*self.origins[known], *path[len(known) :])


def _merge(base: Any, changes: Any, path: Path, origin: Path, origins: dict[Path, Path]) -> Any:
    if isinstance(base, dict) != isinstance(changes, dict):  # a shorthand may meet its group
        base, changes = longhand(path[-1], base), longhand(path[-1], changes)
    is_group = isinstance(base, dict) and isinstance(changes, dict)
    kinds = [group["kind"] for group in (base, changes) if "kind" in group] if is_group else []
    if not is_group or (kinds and kinds[0] != kinds[-1]):
        for inner in [other for other in origins if other[: len(path)] == path]:
            del origins[inner]
        origins[path] = origin
        return changes
    for key in base:
        origins.setdefault((*path, key), (*origins[path], key))
    origins[path] = origin
    merged = dict(base)
    for key, value in changes.items():
        if key in base:
            merged[key] = _merge(base[key], value, (*path, key), (*origin, key), origins)
        else:
            merged[key] = value
            origins[(*path, key)] = (*origin, key)
    return merged


def leaves(settings: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values that are no groups; a shorthand is the key of its group that it gives."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from leaves(value, (*path, key))
        return
    group = longhand(path[-1], settings) if path else settings
    yield (*path, list(group)[-1]) if isinstance(group, dict) else path


def without(changes: dict[str, Any], dropped: set[Path], path: Path = ()) -> dict[str, Any]:
    """Return the changes without the settings at the dropped paths, and without groups that this leaves empty."""
    remaining = {}
    for key, value in changes.items():
        inner = without(value, dropped, (*path, key)) if isinstance(value, dict) else value
        if (*path, key) not in dropped and not (value and inner == {}):
            remaining[key] = inner
    return remaining
