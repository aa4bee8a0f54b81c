"""Resolve settings for a training set of known size and classes: cross-checks, and durations in steps."""

from collections.abc import Callable

from bnrenorm.config import limits
from bnrenorm.config.duration import Duration, steps
from bnrenorm.config.norms import BatchNorm, Custom, Norm, Renorm
from bnrenorm.config.reader import Path
from bnrenorm.config.schema import Iid, NonIid, Settings
from bnrenorm.numbers import counted

InSteps = Callable[[Duration], Duration]


class Misfit(Exception):
    """A setting, by the path of its key, that cannot be as it is: why, and perhaps a value that would be right."""

    def __init__(self, path: Path, message: str, example: str = ""):
        super().__init__(path, message, example)


def resolve(settings: Settings, images: int, classes: int) -> Settings:
    """Return the settings for `images` training images of `classes`, with all durations in steps.

    model.outputs becomes the number of classes, and micro_batch null for normalisations that take no statistics over
    the batch. Raises Misfit for settings that contradict each other or do not fit the training set.
    """
    train_size = images - settings.data.validation
    if train_size < 1:
        raise Misfit(
            ("data", "validation"),
            f"is {settings.data.validation}, which leaves none of the {images} training images to learn from",
        )
    if settings.model.outputs not in (None, classes):
        message = f"is {settings.model.outputs}, but the training labels have {classes} classes; leave it out"
        raise Misfit(("model", "outputs"), message)
    micro_batch = _resolve_batch(settings, train_size, classes)
    _check_combinations(settings, micro_batch)
    per_epoch = settings.training.batch.steps_per_epoch(train_size)
    total = _resolve_total(settings, per_epoch)

    def in_steps(duration: Duration) -> Duration:
        return steps(duration.steps(per_epoch=per_epoch, total=total))

    every = _resolve_every(settings, in_steps, total)
    norm = _resolve_norm(settings.norm, in_steps, total)
    return settings.model_copy(
        update={
            "model": settings.model.model_copy(update={"outputs": classes}),
            "norm": norm,
            "training": settings.training.model_copy(update={"steps": steps(total), "micro_batch": micro_batch}),
            "evaluation": settings.evaluation.model_copy(update={"every": every}),
        }
    )


def _resolve_batch(settings: Settings, train_size: int, classes: int) -> int | None:
    """Check that the batch fits the training set and the micro-batch divides it; returns the micro-batch."""
    batch, micro_batch = settings.training.batch, settings.training.micro_batch
    size = batch.images_per_step(train_size)
    if size > train_size:
        raise Misfit(("training", "batch"), f"has {size} images, but the training set {train_size}")
    if isinstance(batch, NonIid) and batch.classes > classes:
        message = f"is {batch.classes}, but the training set has {classes} classes"
        raise Misfit(("training", "batch", "classes"), message)
    if not isinstance(settings.norm, BatchNorm | Custom):
        return None
    last_size = train_size % size if isinstance(batch, Iid) and batch.remainder == "keep" else 0
    if micro_batch and (size % micro_batch or last_size % micro_batch):
        undivided = size if size % micro_batch else last_size
        raise Misfit(("training", "micro_batch"), f"is {micro_batch}, which does not divide the batch of {undivided}")
    return micro_batch


def _check_combinations(settings: Settings, micro_batch: int | None) -> None:
    """Check settings that exclude or require each other."""
    if isinstance(settings.norm, Custom) and (micro_batch or settings.evaluation.statistics != "running"):
        path = ("training", "micro_batch") if micro_batch else ("evaluation", "statistics")
        raise Misfit(path, "is not for a custom norm, which keeps its own statistics")
    if settings.model.output == "identity" and settings.training.loss == "cross_entropy":
        if "loss" in settings.training.model_fields_set:
            raise Misfit(("training", "loss"), "is cross_entropy, which needs model.output softmax")
        raise Misfit(("model", "output"), "is identity, which needs training.loss squared_error")
    dropout, fewest = settings.model.dropout, min(settings.model.hidden)
    if dropout.form == "exact" and not round(dropout.keep_hidden * fewest):
        message = f"is {dropout.keep_hidden:g}, which keeps none of a layer's {counted(fewest, 'node')}"
        raise Misfit(("model", "dropout", "keep_hidden"), message)
    if settings.training.early_stopping and not settings.data.validation:
        message = "needs a validation split: set data.validation to a number of images"
        raise Misfit(("training", "early_stopping"), message)


def _resolve_total(settings: Settings, per_epoch: int) -> int:
    """Return the length of the training in steps."""
    length = settings.training.steps
    if length.unit == "%":
        message = f"is {length.serialise()!r}, expected steps or epochs: a percentage would refer to itself"
        raise Misfit(("training", "steps"), message)
    total = length.steps(per_epoch=per_epoch, total=0)
    if not 1 <= total <= limits.STEPS:
        raise Misfit(("training", "steps"), f"is {total:,} steps, expected 1 to {limits.STEPS:,}")
    return total


def _resolve_every(settings: Settings, in_steps: InSteps, total: int) -> Duration:
    """Return the interval between records in steps."""
    interval = settings.evaluation.every
    every = in_steps(interval)
    if interval.unit == "%" and interval.amount:
        every = steps(max(1, int(every.amount)))  # 10 % of 9 steps is a record after every step
    if not 1 <= every.amount <= total:
        message = f"is {every.amount:g} steps, expected 1 to the training's {total}"
        raise Misfit(("evaluation", "every"), message, example=str(max(1, total // 2)))
    return every


def _resolve_norm(norm: Norm, in_steps: InSteps, total: int) -> Norm:
    """Return the normalisation with its schedule in steps."""
    if not isinstance(norm, Renorm):
        return norm
    durations = {key: in_steps(getattr(norm, key)) for key in ("warmup", "ramp_r", "ramp_d")}
    if durations["warmup"].amount > total:
        message = f"is {durations['warmup'].amount:g} steps, but the training has {total}: it would stay BN"
        raise Misfit(("norm", "warmup"), message)
    return norm.model_copy(update=durations)
