"""From a document to an experiment: variants laid over the base, grid points over the variants, all checked."""

from typing import Any

from bnrenorm import published
from bnrenorm.config import grid
from bnrenorm.config.document import Document, Path, unknown
from bnrenorm.config.experiment import Experiment
from bnrenorm.config.explain import foreign, validate
from bnrenorm.config.schema import Settings, unfold
from bnrenorm.config.trial import Point
from bnrenorm.errors import InputError

_KEYS = ("name", "variants", "grid", "seeds", "published", *Settings.model_fields)
_MOST_TRIALS = 100_000


def build(document: Document) -> Experiment:
    """Check a document and make its experiment. Raises InputError with the place of the first mistake."""
    data = document.data
    for key in data:
        if key not in _KEYS:
            raise InputError(f"{document.place((key,))}: {unknown(key, _KEYS)}")
    name = data.get("name")
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        raise InputError(f"{document.place(('name',))}: name is {name!r}, expected letters, digits, _ and -")
    cells = _cells(document)
    settings = {cell: validate(Settings, unfold(raw), places, document) for cell, (raw, places) in cells.items()}
    first, *others = settings.values()
    if any(each.data != first.data for each in others):
        raise InputError(
            f"{document.place(('variants',))}: variants differ in data.path, expected one data set for all"
        )
    seeds = _seeds(document)
    if len(settings) * len(seeds) > _MOST_TRIALS:
        raise InputError(f"{document.source}: {len(settings) * len(seeds):,} trials, the limit is {_MOST_TRIALS:,}")
    beside = data.get("published")
    if beside is not None and beside not in published.names():
        raise InputError(f"{document.place(('published',))}: {unknown(str(beside), published.names(), 'table')}")
    return Experiment(name, settings, seeds, document, beside)


Cell = tuple[dict[str, Any], dict[Path, Path]]  # settings as plain data, and where they differ from the base, whence


def _cells(document: Document) -> dict[tuple[str, Point], Cell]:
    """Lay every variant over the base, and every grid point over the variants, in this order."""
    base = {key: value for key, value in document.data.items() if key in Settings.model_fields}
    variants: dict[str, Cell] = {}
    for variant, changes in (grid.group(document, "variants") or {"default": {}}).items():
        if not isinstance(changes, dict | None):
            place = document.place(("variants", variant))
            raise InputError(f"{place}: {variant} is {changes!r}, expected a group of settings")
        for key in changes or {}:
            if key not in Settings.model_fields:
                place = document.place(("variants", variant, key))
                raise InputError(f"{place}: {unknown(key, Settings.model_fields)}")
        origins: dict[Path, Path] = {}
        variants[variant] = grid.lay(base, changes or {}, (), ("variants", variant), origins), origins
    points = grid.points(document)
    at_points = {grid.point(values): _at(variants, values) for values in points}
    return {(variant, point): cells[variant] for variant in variants for point, cells in at_points.items()}


def _at(variants: dict[str, Cell], values: tuple[grid.Value, ...]) -> dict[str, Cell]:
    """Lay a grid point over the variants. A setting that a variant's kind lacks (none has no r_max) leaves it as it is.

    Where every variant lacks the setting it is laid over all the same, for the checks to refuse.
    """
    changed = {path for value in values for path in value.leaves}

    def cell(variant: str, dropped: set[Path]) -> Cell:
        raw, origins = variants[variant]
        origins = dict(origins)
        for value in values:
            raw = grid.lay(raw, grid.without(value.changes, dropped), (), (), {})
            origins |= {
                path[:depth]: origin for path, origin in value.leaves.items() for depth in range(1, len(path) + 1)
            }
        return raw, origins

    lacking = {variant: foreign(Settings, unfold(cell(variant, set())[0])) & changed for variant in variants}
    nowhere = set.intersection(*lacking.values())
    return {variant: cell(variant, lacking[variant] - nowhere) for variant in variants}


def _seeds(document: Document) -> tuple[int, ...]:
    value = document.data.get("seeds", 1)
    place = document.place(("seeds",))
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= _MOST_TRIALS:
            raise InputError(f"{place}: seeds is {value}, expected at least 1")
        return tuple(range(value))
    if not isinstance(value, list) or not value or not all(type(seed) is int and seed >= 0 for seed in value):
        raise InputError(f"{place}: seeds is {value!r}, expected a count or a list of numbers from 0")
    if len(set(value)) < len(value):
        raise InputError(f"{place}: seeds {value} has a repeated seed, expected each once")
    return tuple(value)
