"""Two habits of keeping running statistics, by name. Needs no NumPy: the functions act on whatever array they get."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Semantics:
    """What is averaged beside the mean, and how a standard deviation is had from it.

    `keep(var, n, eps)` maps the batch's biased variance over n examples to the averaged quantity, `std(kept, eps)` maps
    that average to a standard deviation, eps included. `decay` (weight of the old value) and `eps` are the defaults.
    """

    name: str
    decay: float
    eps: float
    keep: Callable[[Any, int, Any], Any]
    std: Callable[[Any, Any], Any]


CHAINER = Semantics(
    name="chainer",
    decay=0.9,
    eps=2e-5,
    keep=lambda var, n, eps: var * (n / max(n - 1.0, 1.0)),  # Bessel's correction
    std=lambda kept, eps: (kept + eps) ** 0.5,
)
"""The running variance, unbiased: chainer.links.BatchNormalization and BatchRenormalization."""

PAPER = Semantics(
    name="paper",
    decay=0.99,
    eps=1e-5,
    keep=lambda var, n, eps: (var + eps) ** 0.5,
    std=lambda kept, eps: kept,
)
"""The running standard deviation, biased, [BRN17, Alg. 1] with its alpha = 0.01. The paper gives no eps."""

SEMANTICS = {semantics.name: semantics for semantics in (CHAINER, PAPER)}
