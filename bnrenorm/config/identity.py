"""Variants that are one computation, found before anything is trained."""

import itertools
from dataclasses import dataclass

from bnrenorm.config.norms import BatchNorm, Renorm
from bnrenorm.config.schema import Settings
from bnrenorm.config.trial import Point, Trial
from bnrenorm.norm.semantics import SEMANTICS


@dataclass(frozen=True)
class Identity:
    """Two variants that train the same numbers at a grid point, and why."""

    a: str
    b: str
    point: Point
    reason: str


def identities(trials: list[Trial]) -> list[Identity]:
    """List the pairs of variants that are one computation, in the experiment's order."""
    cells: dict[Point, dict[str, Settings]] = {}
    for trial in trials:
        cells.setdefault(trial.point, {})[trial.variant] = trial.settings
    found = []
    for point, variants in cells.items():
        for (a, one), (b, other) in itertools.combinations(variants.items(), 2):
            if _canonical(one) == _canonical(other):
                found.append(Identity(a, b, point, _reason(a, one, b, other)))
    return found


def _why_batch(settings: Settings) -> str | None:
    """Say why renormalisation never corrects anything here; None where it can."""
    norm = settings.norm
    if not isinstance(norm, Renorm):
        return None
    if norm.r_max == 1 and norm.d_max == 0:
        return "r is clipped to [1, 1] and d to [0, 0] (r_max 1, d_max 0), so that r = 1 and d = 0 at every step"
    if norm.warmup.amount >= settings.training.steps.amount:
        return "the warm-up (r_max 1, d_max 0) lasts as long as the training"
    return None


def _canonical(settings: Settings) -> Settings:
    norm = settings.norm
    if isinstance(norm, Renorm) and _why_batch(settings):
        norm = BatchNorm(**{**norm.model_dump(include=set(BatchNorm.model_fields)), "kind": "batch"})
    return settings.model_copy(update={"norm": norm})


def _reason(a: str, one: Settings, b: str, other: Settings) -> str:
    reasons = [f"in {name} {why}" for name, settings in ((a, one), (b, other)) if (why := _why_batch(settings))]
    if not reasons:
        return "their settings are equal"
    text = " and ".join(reasons) + ": that is batch normalisation"
    defaults = SEMANTICS["chainer"]
    norm = other.norm if isinstance(other.norm, Renorm) else one.norm
    if isinstance(norm, Renorm) and (norm.r_max, norm.d_max, norm.decay, norm.eps) == (
        1,
        0,
        defaults.decay,
        defaults.eps,
    ):
        text += "; these are the defaults of chainer.links.BatchRenormalization"
    return text
