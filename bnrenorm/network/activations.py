"""What a hidden layer's nodes are put through, as Chainer has it where it does, in forms that overflow nowhere."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial

Function = Callable[[Any], Any]


def of(trials: list[Trial]) -> Function:
    """Return the group's function of a Variable (R, N, D), with an alpha for every replica where there is one."""
    kind = trials[0].settings.model.activation.kind
    if kind == "leaky_relu":
        return leaky_relu(np.array([getattr(trial.settings.model.activation, "alpha", 0) for trial in trials]))
    return _PLAIN[kind]


def leaky_relu(alpha: np.ndarray) -> Function:
    """Return the function that is x where x > 0, and alpha x elsewhere; alpha (R,)."""
    wide = np.float32(alpha).reshape(-1, 1, 1)

    def function(x: Any) -> Any:
        return F.where(x.array > 0, x, x * x.xp.asarray(wide, x.dtype))

    return function


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return x / (1 + F.absolute(x))


def step(x: Any) -> Any:
    """1 where x > 0, 0 elsewhere; the derivative is 0."""
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
