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

    optimizer = _KINDS[trials[0].settings.training.optimizer.kind](
        trials, where.send(network.schedule.lr), vector
    ).setup(network)
    l2, l1 = (vector(lambda trial, name=name: getattr(trial.settings.training, name)) for name in _PENALTIES)
    if l2.any() or l1.any():
        for linear in network.linears:
            linear.W.update_rule.add_hook(_Decay(l2, l1))
    affine_lr = where.send(network.schedule.affine_lr)
    mean = getattr(trials[0].settings.norm, "affine_gradient", "sum") == "mean"
    for norm in network.norms:
        for parameter in norm.params():
            if mean and parameter.shape[-1] == 1:
                parameter.update_rule.add_hook(_Share(norm.affine.width))
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


_PENALTIES = ("weight_decay", "l1_decay")


class _Decay:
    """Adds the gradients of the penalties l2 / 2 sum w^2 and l1 sum |w| to one parameter's; that of |0| is 0."""

    name, timing, call_for_each_param = "decay", "pre", True

    def __init__(self, l2: Array, l1: Array):
        self.l2, self.l1 = l2, l1

    def __call__(self, rule: Any, param: Any) -> None:
        param.grad += self.l2 * param.array
        if self.l1.any():
            param.grad += self.l1 * param.xp.sign(param.array)


class _Share:
    """Divides the gradient of a layer's one gamma or beta by its nodes: their mean gradient instead of the sum."""

    name, timing, call_for_each_param = "share", "pre", True

    def __init__(self, nodes: int):
        self.nodes = nodes

    def __call__(self, rule: Any, param: Any) -> None:
        param.grad /= self.nodes


Vector = Callable[[Callable[[Trial], float]], Array]


def _sgd(trials: list[Trial], lr: Array, vector: Vector) -> Any:
    return chainer.optimizers.SGD(lr=lr)


def _momentum_sgd(trials: list[Trial], lr: Array, vector: Vector) -> Any:
    return chainer.optimizers.MomentumSGD(
        lr=lr,
        momentum=vector(lambda trial: _setting(trial, "momentum")),
    )


def _adam(trials: list[Trial], lr: Array, vector: Vector) -> Any:
    betas = {name: _setting(trials[0], name) for name in ("beta1", "beta2")}  # numbers in Chainer: one a group
    return chainer.optimizers.Adam(alpha=lr, eps=_setting(trials[0], "eps"), **betas)


def _rmsprop(trials: list[Trial], lr: Array, vector: Vector) -> Any:
    return chainer.optimizers.RMSprop(
        lr=lr,
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
