"""A group's settings as compiled engines take them: plain numbers, shared by the group or one value per replica."""

from typing import Any, NamedTuple

from bnrenorm.config import Trial
from bnrenorm.config.norms import BatchNorm, LayerNorm, NoNorm, Renorm
from bnrenorm.config.schema import Settings

NONE, BATCH, LAYER = range(3)
NORMS = {NoNorm: NONE, LayerNorm: LAYER, BatchNorm: BATCH, Renorm: BATCH}
"""Normalisations that there are kernels for. Batch renormalisation is BATCH too: its limits are in the schedule."""

NODE, SHARED, FIXED = range(3)
"""gamma and beta: one per node, one per layer, none."""

SGD, MOMENTUM, ADAM, RMSPROP = range(4)
CODES = {"sgd": SGD, "momentum_sgd": MOMENTUM, "adam": ADAM, "rmsprop": RMSPROP}
"""Optimizers that there are kernels for."""

EXP_AVG = {"momentum_sgd": "v", "adam": "m"}
EXP_AVG_SQ = {"adam": "v", "rmsprop": "ms"}
"""What an optimizer keeps for a parameter, by Chainer's names: velocity or first moment, and second moment."""


class KernelSpec(NamedTuple):
    """What all replicas of a group share, as integers."""

    norm: int  # NONE, BATCH or LAYER
    affine: int  # NODE, SHARED or FIXED
    mean_gradient: int  # a SHARED gamma and beta learn from the mean of their nodes' gradients instead of the sum
    norm_first: int  # the normalisation precedes the activation
    track_std: int  # the running average is of the standard deviation instead of the variance
    optimizer: int  # CODES
    micro_batch: int  # images that are normalised together; 0: the whole batch


class Hyperparams(NamedTuple):
    """What each replica has of its own, scalars of the parameters' dtype; zero where the optimizer has none."""

    decay: Any  # weight of the old running statistics
    eps: Any  # of the normalisation
    momentum: Any
    one_minus_beta1: Any
    one_minus_beta2: Any
    alpha: Any  # RMSprop's weight of the old mean square
    optimizer_eps: Any
    l2: Any
    l1: Any
    average_decay: Any  # weight of the old average of the parameters


def is_compiled(settings: Settings) -> bool:
    """Tell whether there are kernels for these settings; the Chainer engine trains all others."""
    return not uncompiled(settings)


def uncompiled(settings: Settings) -> str:
    """Return the settings for which there are no kernels, as "model.activation: tanh"; "" if there are kernels."""
    model, loss, optimizer = settings.model, settings.training.loss, settings.training.optimizer
    lacking = {
        f"norm.kind: {settings.norm.kind}": type(settings.norm) not in NORMS,
        f"training.optimizer.kind: {optimizer.kind}": optimizer.kind not in CODES,
        f"model.activation: {model.activation.kind}": model.activation.kind != "relu",
        f"model.output: {model.output}": model.output != "softmax",
        f"training.loss: {loss}": loss != "cross_entropy",
        f"model.dropout.form: {model.dropout.form}": model.dropout.drops and model.dropout.form != "exact",
    }
    return ", ".join(name for name, is_lacking in lacking.items() if is_lacking)


def spec_of(settings: Settings) -> KernelSpec:
    """Return the specification of groups with these settings."""
    norm: Any = settings.norm
    affine = {"node": NODE, "layer": SHARED, "none": FIXED}
    return KernelSpec(
        norm=NORMS[type(norm)],
        affine=affine[getattr(norm, "affine", "none")],
        mean_gradient=int(getattr(norm, "affine_gradient", "sum") == "mean"),
        norm_first=int(settings.model.order == "linear-norm-activation"),
        track_std=int(getattr(norm, "semantics", None) == "paper"),
        optimizer=CODES[settings.training.optimizer.kind],
        micro_batch=settings.training.micro_batch or 0,
    )


def hyperparams_of(trial: Trial) -> Hyperparams:
    """Return a replica's hyperparameters, float32."""
    import numpy as np  # here, as the choice of an engine is told before anything heavy is loaded

    norm, training = trial.settings.norm, trial.settings.training
    optimizer = training.optimizer
    values = Hyperparams(
        decay=getattr(norm, "decay", 0),
        eps=getattr(norm, "eps", 0),
        momentum=getattr(optimizer, "momentum", 0),
        one_minus_beta1=1 - getattr(optimizer, "beta1", 1),
        one_minus_beta2=1 - getattr(optimizer, "beta2", 1),
        alpha=getattr(optimizer, "alpha", 0),
        optimizer_eps=getattr(optimizer, "eps", 0),
        l2=training.weight_decay,
        l1=training.l1_decay,
        average_decay=trial.settings.evaluation.average or 0,
    )
    return Hyperparams(*(np.float32(value) for value in values))
