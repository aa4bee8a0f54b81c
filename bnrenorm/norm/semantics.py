"""Two conventions for running statistics, by name. Imports no NumPy: the functions take numbers or any arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Semantics:
    """Which second moment is tracked, and how to get a standard deviation from it.

    `keep(var, n, eps)` maps the batch's biased variance over n examples to the quantity that is averaged (run_scale);
    `std(run_scale, eps)` maps its running average to a standard deviation that contains eps. `scale(run_var, eps)` and
    `variance(run_scale, eps)` convert from and to the running variance that Chainer's links keep, for which std is
    sqrt(run_var + eps). `decay` (weight of the old running value) and `eps` (added to the variance) are the
    convention's defaults.
    """

    name: str
    decay: float
    eps: float
    keep: Callable[[Any, int, Any], Any]
    std: Callable[[Any, Any], Any]
    scale: Callable[[Any, Any], Any]
    variance: Callable[[Any, Any], Any]


CHAINER = Semantics(
    name="chainer",
    decay=0.9,
    eps=2e-5,
    keep=lambda var, n, eps: var * (n / max(n - 1.0, 1.0)),  # Bessel's correction
    std=lambda run_scale, eps: (run_scale + eps) ** 0.5,
    scale=lambda run_var, eps: run_var,
    variance=lambda run_scale, eps: run_scale,
)
"""Running unbiased variance, as in chainer.links.BatchNormalization and BatchRenormalization."""

PAPER = Semantics(
    name="paper",
    decay=0.99,
    eps=1e-5,
    keep=lambda var, n, eps: (var + eps) ** 0.5,
    std=lambda run_scale, eps: run_scale,
    scale=lambda run_var, eps: (run_var + eps) ** 0.5,
    variance=lambda run_scale, eps: run_scale**2 - eps,
)
"""Running standard deviation without Bessel's correction [BRN17, Alg. 1], whose alpha is 0.01. The paper has no eps."""

SEMANTICS = {semantics.name: semantics for semantics in (CHAINER, PAPER)}
