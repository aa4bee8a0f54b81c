"""Which settings are the same computation, and why: known before anything is trained."""

from typing import Any

from bnrenorm.config.duration import steps
from bnrenorm.config.network import Dropout, Model
from bnrenorm.config.norms import BatchNorm, LayerNorm, NoNorm, Renorm
from bnrenorm.config.schema import Evaluation, Settings
from bnrenorm.norm.semantics import SEMANTICS


def why_plain_bn(settings: Settings) -> str | None:
    """Return why renormalisation is plain batch normalisation under these settings; None if it is not."""
    norm = settings.norm
    if not isinstance(norm, Renorm):
        return None
    if norm.r_max == 1 and norm.d_max == 0:
        return "r is clipped to [1, 1] and d to [0, 0] (r_max 1, d_max 0), so that r = 1 and d = 0 at every step"
    after = settings.training.steps.amount - norm.warmup.amount
    if after <= 0:
        return "the warm-up (r_max 1, d_max 0) lasts as long as the training"
    # A ramp's first step still has the limit that it rises from.
    if after == 1 and (norm.r_max == 1 or norm.ramp_r.amount) and (norm.d_max == 0 or norm.ramp_d.amount):
        return "the limits (r_max 1, d_max 0) would rise only after the training's last step"
    return None


def computation(settings: Settings) -> str:
    """Return a text that is the same for settings that are the same computation, and for no others."""
    return _canonical(settings).model_dump_json()


def _canonical(settings: Settings) -> Settings:
    """Return the settings with renormalisation that never corrects replaced by batch normalisation.

    Dropout that drops nothing is none, of whatever form. A rate of gamma and beta that is everybody's, or that of none,
    is no other, and neither is their gradient where no layer shares them. A ramp to where it starts is none,
    there is no penalty without decay, and without averages over a batch evaluation has no choice of statistics.
    """
    norm: Any = settings.norm
    model = settings.model
    if isinstance(norm, Renorm) and why_plain_bn(settings):
        norm = BatchNorm(**{**norm.model_dump(include=set(BatchNorm.model_fields)), "kind": "batch"})
    if isinstance(norm, Renorm):
        flat = {"ramp_r": norm.r_max == 1, "ramp_d": norm.d_max == 0}
        norm = norm.model_copy(update={name: steps(0) for name, is_flat in flat.items() if is_flat})
    lr = settings.training.optimizer.lr
    if hasattr(norm, "affine") and (norm.affine == "none" or norm.affine_lr == lr):
        norm = norm.model_copy(update={"affine_lr": None})
    if isinstance(norm, BatchNorm) and norm.affine != "layer":
        norm = norm.model_copy(update={"affine_gradient": "sum"})
    if not model.dropout.drops:
        model = model.model_copy(update={"dropout": Dropout()})
    evaluation = settings.evaluation
    if isinstance(norm, NoNorm):
        model = model.model_copy(update={"order": Model().order})
    if isinstance(norm, NoNorm | LayerNorm):
        evaluation = evaluation.model_copy(update={"statistics": Evaluation().statistics})
    if not settings.training.weight_decay and not settings.training.l1_decay:
        evaluation = evaluation.model_copy(update={"penalty": False})
    return settings.model_copy(update={"norm": norm, "model": model, "evaluation": evaluation})


def reason(a: str, settings_a: Settings, b: str, settings_b: Settings) -> str:
    """Return why the variants a and b, whose `computation` is the same, are that."""
    variants = ((a, settings_a), (b, settings_b))
    reasons = [f"in {name} {why}" for name, settings in variants if (why := why_plain_bn(settings))]
    if not reasons:
        return "their settings are equal" if settings_a == settings_b else "their settings are one computation"
    text = " and ".join(reasons) + ": that is batch normalisation"
    norm = settings_b.norm if isinstance(settings_b.norm, Renorm) else settings_a.norm
    chainer_defaults = (1, 0, SEMANTICS["chainer"].decay, SEMANTICS["chainer"].eps)
    if isinstance(norm, Renorm) and (norm.r_max, norm.d_max, norm.decay, norm.eps) == chainer_defaults:
        text += "; these are the defaults of chainer.links.BatchRenormalization"
    return text
