"""What is compared: variants at the points of a grid with their seeds, and the trials that they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bnrenorm.config.document import Document, Path, dotted
from bnrenorm.config.duration import steps
from bnrenorm.config.norms import Custom, LayerNorm, NoNorm, Renorm
from bnrenorm.config.schema import Full, Iid, Settings
from bnrenorm.config.trial import Point, Trial
from bnrenorm.errors import InputError


@dataclass(frozen=True)
class Experiment:
    """What is compared: `settings` maps (variant, grid point) to settings that are trained once per seed.

    `published` names the table that the results stand beside, if there is one.
    """

    name: str
    settings: Mapping[tuple[str, Point], Settings]
    seeds: tuple[int, ...]
    document: Document
    published: str | None = None

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, in the config's order."""
        return tuple(dict.fromkeys(variant for variant, _ in self.settings))

    @property
    def points(self) -> tuple[Point, ...]:
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

    def _resolve(self, variant: str, point: Point, images: int) -> Settings:
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
