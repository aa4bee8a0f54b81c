"""From a document to an experiment: its variants, its grid, its seeds, and the trials that they make."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bnrenorm import published
from bnrenorm.config import grid
from bnrenorm.config.document import Document, Path, dotted, unknown
from bnrenorm.config.duration import steps
from bnrenorm.config.explain import foreign, validate
from bnrenorm.config.norms import Custom, LayerNorm, NoNorm, Renorm
from bnrenorm.config.schema import Full, Iid, Settings, unfold
from bnrenorm.errors import InputError

RESULTS = 2
"""Raised whenever a change may move a trial's numbers: stored trials of another number are trained anew."""

_KEYS = ("name", "variants", "grid", "seeds", "published", *Settings.model_fields)
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
    """What is compared: `settings` maps (variant, grid point) to settings that are trained once per seed.

    `published` names the table that the results stand beside, if there is one.
    """

    name: str
    settings: Mapping[tuple[str, tuple[tuple[str, Any], ...]], Settings]
    seeds: tuple[int, ...]
    document: Document
    published: str | None = None

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
        if isinstance(settings.norm, NoNorm | LayerNorm):
            micro_batch = None  # nothing is taken over a batch, so that its parts are no setting
        if micro_batch and (size % micro_batch or left % micro_batch):
            message = f"is {micro_batch}, which does not divide the batch of {size if size % micro_batch else left}"
            raise self._error(variant, ("training", "micro_batch"), message)
        if isinstance(settings.norm, Custom) and (micro_batch or settings.evaluation.statistics != "running"):
            own = ("training", "micro_batch") if micro_batch else ("evaluation", "statistics")
            raise self._error(variant, own, "is not for a custom norm, which keeps its own statistics")
        if settings.model.output == "identity" and settings.training.loss == "cross_entropy":
            raise self._error(variant, ("training", "loss"), "is cross_entropy, which needs model.output softmax")
        if settings.training.early_stopping and not settings.data.validation:
            message = "needs a validation split: set data.validation to a number of images"
            raise self._error(variant, ("training", "early_stopping"), message)
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
        if settings.evaluation.every.unit == "%" and settings.evaluation.every.amount:
            every = steps(max(1, every.amount))  # a tenth of nine steps is a record after every step
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
                "training": settings.training.model_copy(update={"steps": steps(total), "micro_batch": micro_batch}),
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


def _cells(document: Document) -> dict[tuple[str, grid.Point], Cell]:
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
