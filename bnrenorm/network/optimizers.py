"""Chainer's optimizers with one value per replica for each hyperparameter."""

from collections.abc import Callable
from typing import Any, assert_never

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.config import Trial
from bnrenorm.config.schema import SGD, Adam, MomentumSGD, RMSprop

Array = Any

_VECTORS = {"momentum_sgd": ("momentum",), "rmsprop": ("alpha",)}
"""Hyperparameters besides the rate of which each replica has its own; Chainer needs numbers for all others."""


def make(network: Any, trials: list[Trial], device: Any) -> Any:
    """Return the optimizer of a group, set up for its network on a Chainer device.

    Hyperparameters are (R, 1, 1) arrays, which Chainer's update rules broadcast over parameters (R, ., .) like numbers.
    gamma and beta have their own learning rate if `norm.affine_lr` is set. L1 and L2 decay apply to weights only.
    """
    optimizer = _optimizer(trials, device.send(network.schedule.lr), device.send).setup(network)
    l2 = _vector(trials, lambda trial: trial.settings.training.weight_decay)
    l1 = _vector(trials, lambda trial: trial.settings.training.l1_decay)
    if l2.any() or l1.any():
        decay = _Decay(device.send(l2), device.send(l1) if l1.any() else None)
        for linear in network.linears:
            linear.W.update_rule.add_hook(decay)
    affine_lr = device.send(network.schedule.affine_lr)
    mean = getattr(trials[0].settings.norm, "affine_gradient", "sum") == "mean"
    for norm in network.norms:
        for parameter in norm.params():
            if mean and parameter.shape[-1] == 1:
                parameter.update_rule.add_hook(_MeanGradient(norm.affine.width))
            hyperparameters = parameter.update_rule.hyperparam
            name = "alpha" if isinstance(optimizer, chainer.optimizers.Adam) else "lr"
            setattr(hyperparameters, name, affine_lr)
    replica_of = network.replica_of
    for path, parameter in network.namedparams():
        if path in replica_of:  # a parameter without a replica axis
            _select_replica(parameter.update_rule.hyperparam, replica_of[path])
    for parameter in network.params():
        parameter.update_rule._init_states(parameter)  # Chainer does so at the first update; a resume needs them before
    return optimizer


def _select_replica(hyperparameters: Any, replica: int) -> None:
    """Replace (R, 1, 1) hyperparameters by the numbers of one replica."""
    for name, value in hyperparameters.get_dict().items():
        if getattr(value, "ndim", 0) == 3:
            setattr(hyperparameters, name, value[replica, 0, 0])


def _vector(trials: list[Trial], value: Callable[[Trial], float]) -> np.ndarray:
    return np.array([value(trial) for trial in trials], np.float32).reshape(-1, 1, 1)


class _Decay:
    """Update-rule hook: adds the gradient of l2 / 2 * sum w^2 + l1 * sum |w|, where |w| has gradient 0 at 0.

    l2 and l1 are (R, 1, 1), on the network's device; l1 is None if it is 0 for all replicas.
    """

    name, timing, call_for_each_param = "decay", "pre", True

    def __init__(self, l2: Array, l1: Array | None):
        self.l2, self.l1 = l2, l1

    def __call__(self, rule: Any, param: Any) -> None:
        param.grad += self.l2 * param.array
        if self.l1 is not None:
            param.grad += self.l1 * param.xp.sign(param.array)


class _MeanGradient:
    """Update-rule hook for a shared gamma or beta: the mean of its nodes' gradients instead of their sum."""

    name, timing, call_for_each_param = "mean_gradient", "pre", True

    def __init__(self, nodes: int):
        self.nodes = nodes

    def __call__(self, rule: Any, param: Any) -> None:
        param.grad /= self.nodes


def _optimizer(trials: list[Trial], lr: Array, send: Callable[[np.ndarray], Array]) -> Any:
    rule = trials[0].settings.training.optimizer

    def vector(name: str) -> Array:
        return send(_vector(trials, lambda trial: getattr(trial.settings.training.optimizer, name)))

    own = {name: vector(name) for name in _VECTORS.get(rule.kind, ())}
    match rule:
        case SGD():
            return chainer.optimizers.SGD(lr=lr)
        case MomentumSGD():
            return chainer.optimizers.MomentumSGD(lr=lr, **own)
        case Adam():
            return chainer.optimizers.Adam(alpha=lr, beta1=rule.beta1, beta2=rule.beta2, eps=rule.eps)
        case RMSprop():
            return chainer.optimizers.RMSprop(lr=lr, eps=rule.eps, **own)
        case _:
            assert_never(rule)


def structure(trial: Trial) -> tuple[Any, ...]:
    """Return what replicas must have in common: the kind, and hyperparameters that Chainer needs as numbers."""
    optimizer = trial.settings.training.optimizer
    return optimizer.others("lr", *_VECTORS.get(optimizer.kind, ()))
