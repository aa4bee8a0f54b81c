"""Activation functions of hidden layers: Chainer's where it has them, otherwise formulas that cannot overflow."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial
from bnrenorm.norm.device_copy import DeviceCopy

Function = Callable[[Any], Any]


def of(trials: list[Trial]) -> Function:
    """Return the activation function of a group, on Variables (R, N, D); leaky_relu has one alpha per replica."""
    kind = trials[0].settings.model.activation.kind
    if kind == "leaky_relu":
        return leaky_relu(np.array([getattr(trial.settings.model.activation, "alpha", 0) for trial in trials]))
    return _PLAIN[kind]


def leaky_relu(alpha: np.ndarray) -> Function:
    """Return the function x for x > 0, alpha * x otherwise, of Variables (R, N, D); alpha (R,)."""
    slope, copy = np.float32(alpha).reshape(-1, 1, 1), DeviceCopy()

    def function(x: Any) -> Any:
        return F.where(x.array > 0, x, x * copy.of(slope.astype(x.dtype), x.array))

    return function


def softsign(x: Any) -> Any:
    """Return x / (1 + |x|)."""
    return x / (1 + F.absolute(x))


def step(x: Any) -> Any:
    """Return 1 for x > 0 and 0 otherwise; the derivative is 0."""
    return 0 * x + (x.array > 0).astype(x.dtype)


_PLAIN: dict[str, Function] = {
    "relu": lambda x: F.relu(x),
    "sigmoid": lambda x: F.sigmoid(x),
    "tanh": lambda x: F.tanh(x),
    "identity": lambda x: chainer.as_variable(x),
    "softplus": lambda x: F.softplus(x),
    "softsign": softsign,
    "step": step,
}
