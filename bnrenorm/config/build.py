"""Build an experiment from a document: merge variants into the base and grid points into variants, then validate."""

from typing import Any

from bnrenorm import published
from bnrenorm.config import grid
from bnrenorm.config.document import Document, Path, unknown
from bnrenorm.config.experiment import Experiment
from bnrenorm.config.explain import unknown_paths, validate
from bnrenorm.config.schema import Settings, expand_shorthands
from bnrenorm.config.trial import Point
from bnrenorm.errors import InputError

KEYS = ("name", "variants", "grid", "seeds", "baseline", "published", *Settings.model_fields)
_MAX_TRIALS = 100_000


def build(document: Document) -> Experiment:
    """Validate a document and return its experiment. Raises InputError with the location of the first mistake."""
    data = document.data
    for key in data:
        if key not in KEYS:
            raise InputError(f"{document.location((key,))}: {unknown(key, KEYS)}")
    name = data.get("name")
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        raise InputError(f"{document.location(('name',))}: name is {name!r}, expected letters, digits, _ and -")
    cells = _cells(document)
    settings = {
        cell: validate(Settings, expand_shorthands(raw), origins, document) for cell, (raw, origins) in cells.items()
    }
    first, *others = settings.values()
    if any(other.data != first.data for other in others):
        location = document.location(("variants",))
        raise InputError(f"{location}: variants differ in data, expected the same data settings for all")
    seeds = _seeds(document)
    if len(settings) * len(seeds) > _MAX_TRIALS:
        raise InputError(f"{document.source}: {len(settings) * len(seeds):,} trials, the limit is {_MAX_TRIALS:,}")
    table = data.get("published")
    if table is not None and table not in published.names():
        raise InputError(f"{document.location(('published',))}: {unknown(str(table), published.names(), 'table')}")
    baseline, variants = data.get("baseline"), list(dict.fromkeys(variant for variant, _ in settings))
    if baseline is not None and baseline not in variants:
        raise InputError(f"{document.location(('baseline',))}: {unknown(str(baseline), variants, 'variant')}")
    return Experiment(name, settings, seeds, document, baseline, table)


Cell = tuple[dict[str, Any], dict[Path, Path]]
"""Raw settings, and for keys that do not come from the base: their path in the settings -> in the document."""


def _cells(document: Document) -> dict[tuple[str, Point], Cell]:
    """Merge each variant into the base settings, then each grid point into each variant."""
    base = {key: value for key, value in document.data.items() if key in Settings.model_fields}
    variants: dict[str, Cell] = {}
    for variant, changes in (grid.group(document, "variants") or {"default": {}}).items():
        if not isinstance(changes, dict | None):
            location = document.location(("variants", variant))
            raise InputError(f"{location}: {variant} is {changes!r}, expected a group of settings")
        for key in changes or {}:
            if key not in Settings.model_fields:
                location = document.location(("variants", variant, key))
                raise InputError(f"{location}: {unknown(key, Settings.model_fields)}")
        origins: dict[Path, Path] = {}
        variants[variant] = grid.merge(base, changes or {}, (), ("variants", variant), origins), origins
    points = grid.points(document)
    cells_at = {grid.point(values): _cells_at(variants, values) for values in points}
    return {(variant, point): cells[variant] for variant in variants for point, cells in cells_at.items()}


def _cells_at(variants: dict[str, Cell], values: tuple[grid.Value, ...]) -> dict[str, Cell]:
    """Merge one grid point into every variant, except settings that a variant's kind lacks (`none` has no r_max).

    A setting that all variants lack is merged nevertheless, so that validation rejects it.
    """
    changed = {path for value in values for path in value.leaves}

    def cell(variant: str, dropped: set[Path]) -> Cell:
        raw, origins = variants[variant]
        origins = dict(origins)
        for value in values:
            raw = grid.merge(raw, grid.without(value.changes, dropped), (), (), {})
            origins |= {
                path[:depth]: origin for path, origin in value.leaves.items() for depth in range(1, len(path) + 1)
            }
        return raw, origins

    lacking = {
        variant: unknown_paths(Settings, expand_shorthands(cell(variant, set())[0])) & changed for variant in variants
    }
    lacking_everywhere = set.intersection(*lacking.values())
    return {variant: cell(variant, lacking[variant] - lacking_everywhere) for variant in variants}


def _seeds(document: Document) -> tuple[int, ...]:
    value = document.data.get("seeds", 1)
    location = document.location(("seeds",))
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= _MAX_TRIALS:
            raise InputError(f"{location}: seeds is {value}, expected at least 1")
        return tuple(range(value))
    if not isinstance(value, list) or not value or not all(type(seed) is int and seed >= 0 for seed in value):
        raise InputError(f"{location}: seeds is {value!r}, expected a count or a list of numbers from 0")
    if len(set(value)) < len(value):
        raise InputError(f"{location}: seeds {value} has a repeated seed, expected each once")
    return tuple(value)
