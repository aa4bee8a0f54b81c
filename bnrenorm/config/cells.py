"""The cells of an experiment: each variant merged into the base settings, then each grid point into each variant."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from bnrenorm.config import explain, grid
from bnrenorm.config.document import Document
from bnrenorm.config.explain import unknown_key, unknown_paths
from bnrenorm.config.merge import Cell, leaves, without
from bnrenorm.config.reader import Path, dotted, shown
from bnrenorm.config.schema import Settings
from bnrenorm.config.trial import Point
from bnrenorm.errors import InputError

_NAMED = 4  # keys that a message names


def count(document: Document) -> int:
    """Return how many cells there are, without making them. Raises InputError for a malformed variant or axis."""
    if isinstance(document.data.get("variants"), list):
        return len(document.data["variants"])
    return len(_variants(document)) * math.prod(map(len, grid.axes(document)))


def cells(document: Document) -> Iterator[tuple[str, Point, Cell]]:
    """Yield the cells with their variant and grid point, the variants varying fastest.

    Raises InputError for a malformed variant or axis.
    """
    if isinstance(document.data.get("variants"), list):
        yield from _listed(document)
        return
    variants = _variants(document)
    for values in itertools.product(*grid.axes(document)):
        for variant, cell in _at(variants, values).items():
            yield variant, grid.point(values), cell


def location(document: Document, variant: str, point: Point, path: Path) -> str:
    """Return the location of a setting of one cell, as `explain.location`."""
    return explain.location(document, _cell(document, variant, point), path)


def key(document: Document, variant: str, point: Point, path: Path) -> str:
    """Return the key of the document that sets a setting of one cell."""
    return document.key(_cell(document, variant, point).origin(path))


def _cell(document: Document, variant: str, point: Point) -> Cell:
    return next(cell for *names, cell in cells(document) if names == [variant, point])


def check_overrides(document: Document, seen: set[Path]) -> None:
    """Raise InputError for an override that no trial sees; `seen`: paths in the document of all trials' settings."""
    for path, location in document.overrides.items():
        if path[0] not in ("variants", "grid", *Settings.model_fields):
            continue
        for leaf in _overridden(document, path):
            if any(other[: len(leaf)] == leaf for other in seen):
                continue
            variant, setting = _setting(document, leaf)
            if setting:  # none: a variant, or a point of the grid, that changes nothing
                keys = keys_that_set(document, setting, variant)
                advice = f"set {keys} instead" if keys else "no variant has this setting"
                raise InputError(f"{location}: no trial sees {dotted(leaf)}; {advice}")


def _overridden(document: Document, path: Path) -> Iterator[Path]:
    """Yield the settings that an override gives."""
    value: Any = document.data
    for part in path:
        value = value[part]
    yield from leaves(value, tuple(itertools.takewhile(lambda part: isinstance(part, str), path)))


def overruled(document: Document, settings: Mapping[tuple[str, Point], Settings]) -> dict[Path, dict[str, str]]:
    """Return overrides that do not reach all variants that have the setting: those left, with the key of their own.

    settings: those of all cells. A variant with the same value of its own is not left.
    """
    firsts = {variant: (point, cell) for variant, point, cell in reversed(list(cells(document)))}
    left: dict[Path, dict[str, str]] = {}
    given = [path for path in document.overrides if path[0] in Settings.model_fields]
    for leaf in (leaf for path in given for leaf in _overridden(document, path)):
        origins = {variant: cell.origin(leaf) for variant, (_, cell) in reversed(firsts.items())}
        values = {variant: _value(settings[variant, point], leaf) for variant, (point, _) in firsts.items()}
        reached = [values[variant] for variant, origin in origins.items() if origin[0] not in ("variants", "grid")]
        for variant, origin in origins.items():
            change = firsts[variant][1].changed(grid.nested(leaf, None), ())
            has_own = origin[0] in ("variants", "grid") and values[variant] not in reached
            if has_own and leaf not in unknown_paths(change.settings):
                left.setdefault(leaf, {})[variant] = document.key(_there(document, origin))
    return left


def _value(settings: Any, path: Path) -> Any:
    for part in path:
        settings = getattr(settings, str(part), None)
    return settings


def _there(document: Document, path: Path) -> Path:
    """Return as much of a path as the document has, without what a shorthand stands for."""
    group: Any = document.data
    for length, part in enumerate(path):
        if not isinstance(group, dict) or part not in group:
            return path[:length]
        group = group[part]
    return path


def keys_that_set(document: Document, path: Path, variant: str | int | None = None) -> str:
    """Name the keys of the document that give a setting to the variants, or to one of them, that can have it."""
    change = grid.nested(path, None)
    keys = []
    for name, _, cell in cells(document):
        if variant in (None, name) and path not in unknown_paths(cell.changed(change, ()).settings):
            origin = cell.origin(path)
            keys.append(document.key(origin if origin[0] in ("variants", "grid") else ("variants", name, *path)))
    distinct = list(dict.fromkeys(keys))
    return " or ".join([*distinct[:_NAMED], *["..."] * (len(distinct) > _NAMED)])


def _setting(document: Document, path: Path) -> tuple[str | int | None, Path]:
    """Return the variant, None for all, and the setting that a key of the document is about."""
    if path in (("variants",), ("grid",)):  # null: none
        return None, ()
    if path[0] == "variants":
        return path[1], path[2:]
    if path[0] == "grid":
        is_named = isinstance(document.data["grid"][path[1]], dict)
        return None, path[3:] if is_named else tuple(str(path[1]).split("."))
    return None, path


def _variants(document: Document) -> dict[str, Cell]:
    """Merge each variant into the base settings."""
    base = _base(document)
    variants = {}
    for variant, changes in (grid.group(document, "variants") or {"default": {}}).items():
        path = ("variants", variant)
        if not isinstance(changes, dict | None):
            problem = f"{document.location(path)}: {dotted(path)} is {shown(changes)}"
            raise InputError(f"{problem}, expected a group such as {{norm: {{kind: batch}}}}")
        for key in changes or {}:
            if key not in Settings.model_fields:
                message = unknown_key((key,), Settings.model_fields)
                raise InputError(f"{document.location((*path, key))}: {dotted(path)}: {message}")
        variants[variant] = base.changed(changes or {}, path)
    return variants


def _base(document: Document) -> Cell:
    return Cell({key: value for key, value in document.data.items() if key in Settings.model_fields}, {(): ()})


def _at(variants: dict[str, Cell], values: tuple[grid.Value, ...]) -> dict[str, Cell]:
    """Merge one grid point into every variant, except settings that a variant's kind lacks (`none` has no r_max).

    A setting that all variants lack is merged nevertheless, so that validation rejects it.
    """
    if not values:
        return variants
    chosen = {leaf for value in values for leaf in leaves(value.changes)}

    def at(cell: Cell, dropped: set[Path]) -> Cell:
        for value in values:
            cell = cell.changed(without(value.changes, dropped), value.origin)
        return cell

    merged = {variant: at(cell, set()) for variant, cell in variants.items()}
    lacking = {variant: unknown_paths(cell.settings) & chosen for variant, cell in merged.items()}
    everywhere = set.intersection(*lacking.values())
    return {variant: at(variants[variant], lacking[variant] - everywhere) for variant in variants}


def _listed(document: Document) -> Iterator[tuple[str, Point, Cell]]:
    """Yield the cells of an experiment as a run folder tells it: each an item of `variants`, with all its settings."""
    base, names = _base(document), set()
    for index, item in enumerate(document.data["variants"]):
        where = ("variants", index)
        if not isinstance(item, dict):
            expected = "expected named groups, such as BN: {norm: {kind: batch}}"
            raise InputError(f"{document.location(where)}: {dotted(where)} is {shown(item)}, {expected}")
        variant, settings = item.get("variant"), item.get("settings")
        axes = [key for key in item if key not in ("variant", "settings")]
        names.add(tuple(axes))
        if not isinstance(variant, str) or not isinstance(settings, dict) or len(names) > 1 or "grid" in document.data:
            expected = "expected items with variant, settings and a key per axis of a grid, the same keys in all"
            raise InputError(f"{document.location(where)}: {dotted(where)}: {expected}")
        yield (
            variant,
            tuple((axis, grid.label(item[axis])) for axis in axes),
            base.changed(settings, (*where, "settings")),
        )
