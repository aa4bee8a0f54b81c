"""Chainer's own optimizers, with a value of every hyperparameter for each replica."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.config import Trial

Array = Any


def make(network: Any, trials: list[Trial], where: Any) -> Any:
    """Set the group's optimizer up for a network of stacked replicas.

    Hyperparameters are (R, 1, 1) arrays, which broadcast over parameters (R, ., .); Chainer's update rules take them as
    they take numbers. gamma and beta may have a learning rate of their own, and only weights decay.
    """

    def vector(value: Callable[[Trial], float]) -> Array:
        return where.send(np.array([value(trial) for trial in trials], np.float32).reshape(-1, 1, 1))

    optimizer = _KINDS[trials[0].settings.training.optimizer.kind](trials, vector).setup(network)
    decay = vector(lambda trial: trial.settings.training.weight_decay)
    if decay.any():
        for linear in network.linears:
            linear.W.update_rule.add_hook(_Decay(decay))
    affine_lr = vector(_affine_lr)
    for norm in network.norms:
        for parameter in norm.params():
            hyperparameters = parameter.update_rule.hyperparam
            name = "alpha" if isinstance(optimizer, chainer.optimizers.Adam) else "lr"
            setattr(hyperparameters, name, affine_lr)
    owner = network.replica_of
    for path, parameter in network.namedparams():
        if path in owner:  # its shape has no replicas' axis: it takes its replica's numbers
            _take_numbers(parameter.update_rule.hyperparam, owner[path])
    for parameter in network.params():
        parameter.update_rule._init_states(parameter)  # Chainer waits for the first update; a resume cannot
    return optimizer


def _take_numbers(hyperparameters: Any, replica: int) -> None:
    for name, value in hyperparameters.get_dict().items():
        if getattr(value, "ndim", 0) == 3:
            setattr(hyperparameters, name, value[replica, 0, 0])


def _affine_lr(trial: Trial) -> float:
    own = getattr(trial.settings.norm, "affine_lr", None)
    return trial.settings.training.optimizer.lr if own is None else own


class _Decay:
    """Adds the gradient of an L2 penalty, rate / 2 times the sum of squares, to one parameter's gradient."""

    name, timing, call_for_each_param = "decay", "pre", True

    def __init__(self, rate: Array):
        self.rate = rate

    def __call__(self, rule: Any, param: Any) -> None:
        param.grad += self.rate * param.array


Vector = Callable[[Callable[[Trial], float]], Array]


def _sgd(trials: list[Trial], vector: Vector) -> Any:
    return chainer.optimizers.SGD(lr=vector(lambda trial: trial.settings.training.optimizer.lr))


def _momentum_sgd(trials: list[Trial], vector: Vector) -> Any:
    return chainer.optimizers.MomentumSGD(
        lr=vector(lambda trial: trial.settings.training.optimizer.lr),
        momentum=vector(lambda trial: _setting(trial, "momentum")),
    )


def _adam(trials: list[Trial], vector: Vector) -> Any:
    betas = {name: _setting(trials[0], name) for name in ("beta1", "beta2")}  # numbers in Chainer: one a group
    return chainer.optimizers.Adam(
        alpha=vector(lambda trial: trial.settings.training.optimizer.lr), eps=_setting(trials[0], "eps"), **betas
    )


def _rmsprop(trials: list[Trial], vector: Vector) -> Any:
    return chainer.optimizers.RMSprop(
        lr=vector(lambda trial: trial.settings.training.optimizer.lr),
        alpha=vector(lambda trial: _setting(trial, "alpha")),
        eps=_setting(trials[0], "eps"),
    )


def _setting(trial: Trial, name: str) -> float:
    return getattr(trial.settings.training.optimizer, name)


_KINDS = {"sgd": _sgd, "momentum_sgd": _momentum_sgd, "adam": _adam, "rmsprop": _rmsprop}


def structure(trial: Trial) -> tuple[Any, ...]:
    """Tell what replicas of one optimizer must share: what Chainer's update rules take as one number."""
    optimizer = trial.settings.training.optimizer
    shared = {"adam": ("beta1", "beta2", "eps"), "rmsprop": ("eps",)}.get(optimizer.kind, ())
    return (optimizer.kind, *(getattr(optimizer, name) for name in shared))
