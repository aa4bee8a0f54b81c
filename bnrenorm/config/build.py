"""Build an experiment from a document: validate every cell, and check the rest of the document."""

import re
from functools import partial

from bnrenorm import published
from bnrenorm.config import cells, limits, seeds
from bnrenorm.config.document import Document, unknown
from bnrenorm.config.experiment import Experiment
from bnrenorm.config.explain import unknown_key, validate
from bnrenorm.config.merge import leaves
from bnrenorm.config.plugins import KEY as PLUGINS
from bnrenorm.config.plugins import Plugin
from bnrenorm.config.reader import Path, shown, unquoted
from bnrenorm.config.schema import Settings
from bnrenorm.config.trial import Point
from bnrenorm.errors import InputError
from bnrenorm.family import MARGIN

KEYS = ("name", "variants", "grid", "seeds", "baseline", "margin", "published", PLUGINS, *Settings.model_fields)


def build(document: Document, plugins: tuple[Plugin, ...] = ()) -> Experiment:
    """Validate a document, whose `plugins` have been run, and return its experiment.

    Raises InputError with the location of the first mistake.
    """
    data = document.data
    for key in data:
        if key not in KEYS:
            raise InputError(f"{document.location((key,))}: {unknown_key((key,), KEYS)}")
    name, table = data.get("name"), data.get("published")
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w-]*", name) or len(name.encode()) > limits.NAME:
        location = document.location(("name",))
        expected = f"expected letters, digits, _ and -, at most {limits.NAME} bytes"
        value = f"is {shown(name)}{unquoted(name)}" if "name" in data else "is missing"
        raise InputError(f"{location}: name {value}, {expected}")
    if table is not None and table not in published.names():
        raise InputError(f"{document.location(('published',))}: {unknown(str(table), published.names(), 'table')}")
    numbers = seeds.read(document)
    trials = cells.count(document) * len(numbers)
    if trials > limits.TRIALS:
        raise InputError(f"{document.source}: {trials:,} trials, the limit is {limits.TRIALS:,}")
    settings, baseline = _settings(document), data.get("baseline")
    variants = list(dict.fromkeys(variant for variant, _ in settings))
    if baseline is not None and baseline not in variants:
        message = f"baseline: {unknown(str(baseline), variants, 'variant')}{unquoted(baseline)}"
        raise InputError(f"{document.location(('baseline',))}: {message}")
    return Experiment(name, settings, numbers, document, baseline, _margin(document), table, plugins)


def _margin(document: Document) -> float:
    """Return the difference that a document calls equivalent, in percentage points."""
    value = document.data.get("margin", 100 * MARGIN)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 100:
        location = document.location(("margin",))
        raise InputError(f"{location}: margin is {shown(value)}, expected percentage points, above 0 and below 100")
    return float(value)


def _settings(document: Document) -> dict[tuple[str, Point], Settings]:
    """Validate the settings of every cell, and return them variant by variant."""
    settings: dict[tuple[str, Point], Settings] = {}
    elsewhere = partial(cells.keys_that_set, document)
    seen: set[Path] = set()  # of the document, by any trial
    for variant, point, cell in cells.cells(document):
        settings[variant, point] = validate(cell, document, elsewhere)
        if document.overrides:
            seen |= {cell.origin(path) for path in leaves(cell.settings)}
    variants, points = (dict.fromkeys(names) for names in zip(*settings, strict=True)) if settings else ({}, {})
    if not settings or len(settings) != cells.count(document) or len(settings) != len(variants) * len(points):
        location = document.location(("variants",))
        raise InputError(f"{location}: variants, expected an item for every variant at every grid point, each once")
    data = next(iter(settings.values())).data.model_dump()
    for (variant, point), other in settings.items():
        if differ := [key for key, value in other.data.model_dump().items() if value != data[key]]:
            location = cells.location(document, variant, point, ("data", differ[0]))
            message = f"data.{differ[0]} differs, expected one value for all variants and grid points"
            raise InputError(f"{location}: {message}")
    cells.check_overrides(document, seen)
    return {(variant, point): settings[variant, point] for variant in variants for point in points}
