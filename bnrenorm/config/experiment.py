"""From a document to an experiment: its variants, its grid, its seeds, and the trials that they make."""

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bnrenorm.config.document import Document, Path, dotted, unknown
from bnrenorm.config.duration import steps
from bnrenorm.config.explain import validate
from bnrenorm.config.schema import Full, Iid, Renorm, Settings, unfold
from bnrenorm.errors import InputError

RESULTS = 1
"""Raised whenever a change may move a trial's numbers: stored trials of another number are trained anew."""

_KEYS = ("name", "variants", "grid", "seeds", *Settings.model_fields)
_MOST_TRIALS = 100_000


@dataclass(frozen=True)
class Trial:
    """One network: a variant at a grid point with a seed, every duration resolved to steps."""

    variant: str
    point: tuple[tuple[str, Any], ...]
    seed: int
    settings: Settings

    def key(self, checksum: str) -> str:
        """Address of the trial's result: a hash of all that decides its numbers, the data's checksum included."""
        content = {
            "results": RESULTS,
            "data": checksum,
            "seed": self.seed,
            "settings": self.resolved(),
        }
        return digest(content)

    def resolved(self) -> dict[str, Any]:
        """Return the settings as plain data, without the path of the images: their checksum tells which they are."""
        return self.settings.model_dump(mode="json", exclude={"data": {"path"}})


@dataclass(frozen=True)
class Experiment:
    """What is compared: `settings` maps (variant, grid point) to settings that are trained once per seed."""

    name: str
    settings: Mapping[tuple[str, tuple[tuple[str, Any], ...]], Settings]
    seeds: tuple[int, ...]
    document: Document

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, in the config's order."""
        return tuple(dict.fromkeys(variant for variant, _ in self.settings))

    @property
    def points(self) -> tuple[tuple[tuple[str, Any], ...], ...]:
        """The grid's points, each as (key, value) pairs; one empty point without a grid."""
        return tuple(dict.fromkeys(point for _, point in self.settings))

    @property
    def data_path(self) -> str | None:
        """The one data set of all variants."""
        return next(iter(self.settings.values())).data.path

    def trials(self, images: int) -> list[Trial]:
        """Resolve every setting for a training set of that many images; seeds vary fastest.

        Raises InputError where a duration does not fit the training.
        """
        resolved = {key: self._resolve(*key, images) for key in self.settings}
        return [
            Trial(variant, point, seed, settings)
            for (variant, point), settings in resolved.items()
            for seed in self.seeds
        ]

    def _resolve(self, variant: str, point: tuple[tuple[str, Any], ...], images: int) -> Settings:
        settings = self.settings[variant, point]
        batch, micro_batch = settings.training.batch, settings.training.micro_batch
        learning = images - settings.data.validation
        if learning < 1:
            raise self._error(variant, ("data", "validation"), f"leaves nothing of {images} training images")
        size = learning if isinstance(batch, Full) else batch.size
        if size > learning:
            raise self._error(variant, ("training", "batch"), f"has {size} images, but the training set {learning}")
        left = learning % size if isinstance(batch, Iid) and batch.remainder == "keep" else 0
        if micro_batch and (size % micro_batch or left % micro_batch):
            message = f"is {micro_batch}, which does not divide the batch of {size if size % micro_batch else left}"
            raise self._error(variant, ("training", "micro_batch"), message)
        per_epoch = batch.steps_per_epoch(learning)
        if settings.training.steps.unit == "%":
            raise self._error(
                variant, ("training", "steps"), "expected steps or epochs, a share has nothing to refer to"
            )
        total = settings.training.steps.steps(per_epoch=per_epoch, total=0)
        if total < 1:
            raise self._error(variant, ("training", "steps"), "expected at least 1 step")

        def resolve(duration: Any) -> Any:
            return steps(duration.steps(per_epoch=per_epoch, total=total))

        every = resolve(settings.evaluation.every)
        if not 1 <= every.amount <= total:
            raise self._error(
                variant, ("evaluation", "every"), f"is {every.amount:g} steps, expected 1 to the training's {total}"
            )
        norm = settings.norm
        if isinstance(norm, Renorm):
            durations = {key: resolve(getattr(norm, key)) for key in ("warmup", "ramp_r", "ramp_d")}
            if durations["warmup"].amount > total:
                message = f"is {durations['warmup'].amount:g} steps, but the training has {total}: it would stay BN"
                raise self._error(variant, ("norm", "warmup"), message)
            norm = norm.model_copy(update=durations)
        return settings.model_copy(
            update={
                "norm": norm,
                "training": settings.training.model_copy(update={"steps": steps(total)}),
                "evaluation": settings.evaluation.model_copy(update={"every": every}),
            }
        )

    def _error(self, variant: str, path: Path, message: str) -> InputError:
        own = ("variants", variant, *path)
        place = self.document.place(own if own in self.document.places else path)
        return InputError(f"{place}: {dotted(path)} {message}")

    def resolved(self) -> dict[str, Any]:
        """Return the experiment as plain data, each variant with all its settings; it has a stable `digest`."""
        return {
            "name": self.name,
            "seeds": list(self.seeds),
            "variants": [
                {"variant": variant, **dict(point), "settings": settings.model_dump(mode="json")}
                for (variant, point), settings in self.settings.items()
            ],
        }


def digest(content: Any) -> str:
    """Hash plain data to 16 hexadecimal digits, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build(document: Document) -> Experiment:
    """Check a document and make its experiment. Raises InputError with the place of the first mistake."""
    data = document.data
    for key in data:
        if key not in _KEYS:
            raise InputError(f"{document.place((key,))}: {unknown(key, _KEYS)}")
    name = data.get("name")
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        raise InputError(f"{document.place(('name',))}: name is {name!r}, expected letters, digits, _ and -")
    variants = _group(document, "variants") or {"default": {}}
    base = {key: value for key, value in data.items() if key in Settings.model_fields}
    settings = {}
    for variant, changes in variants.items():
        for key in changes or {}:
            if key not in Settings.model_fields:
                place = document.place(("variants", variant, key))
                raise InputError(f"{place}: {unknown(key, Settings.model_fields)}")
        origins: dict[Path, Path] = {}
        merged = _merge(base, changes or {}, (), ("variants", variant), origins)
        for point in _points(document):
            raw, places = _at(merged, origins, point)
            settings[variant, point] = validate(Settings, unfold(raw), places, document)
    if len({each.data for each in settings.values()}) > 1:
        raise InputError(
            f"{document.place(('variants',))}: variants differ in data.path, expected one data set for all"
        )
    seeds = _seeds(document)
    if len(settings) * len(seeds) > _MOST_TRIALS:
        raise InputError(f"{document.source}: {len(settings) * len(seeds):,} trials, the limit is {_MOST_TRIALS:,}")
    return Experiment(name, settings, seeds, document)


def _group(document: Document, key: str) -> dict[str, Any]:
    value = document.data.get(key) or {}
    if not isinstance(value, dict):
        raise InputError(f"{document.place((key,))}: {key} is {value!r}, expected a group of settings")
    for name, content in value.items():
        if key == "variants" and not isinstance(content, dict | None):
            raise InputError(f"{document.place((key, name))}: {name} is {content!r}, expected a group of settings")
    return value


def _merge(base: Any, changes: Any, path: Path, origin: Path, origins: dict[Path, Path]) -> Any:
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
        merged[key] = _merge(base.get(key), value, (*path, key), (*origin, key), origins)
    return merged


def _points(document: Document) -> list[tuple[tuple[str, Any], ...]]:
    axes = []
    for key, values in _group(document, "grid").items():
        if not isinstance(values, list) or not values:
            raise InputError(f"{document.place(('grid', key))}: {key} is {values!r}, expected a list of values")
        if any(isinstance(value, dict) for value in values):
            raise InputError(f"{document.place(('grid', key))}: {key} has a group as a value; vary its keys one by one")
        if len({json.dumps(value, default=str) for value in values}) < len(values):
            raise InputError(f"{document.place(('grid', key))}: {key} has a repeated value in {values!r}")
        axes.append([(key, tuple(value) if isinstance(value, list) else value) for value in values])
    return list(itertools.product(*axes))


def _at(
    merged: dict[str, Any], origins: dict[Path, Path], point: tuple[tuple[str, Any], ...]
) -> tuple[dict[str, Any], dict[Path, Path]]:
    """Lay a grid point over the merged settings."""
    origins = dict(origins)
    for key, value in point:
        path = tuple(key.split("."))
        changes: Any = value
        for part in reversed(path):
            changes = {part: changes}
        merged = _merge(merged, changes, (), (), {})
        origins |= {path[:depth]: ("grid", key) for depth in range(1, len(path) + 1)}
    return merged, origins


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
