"""The multilayer perceptron of stacked replicas, as a Chainer Chain."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial
from bnrenorm.config.schema import BatchNorm, Renorm
from bnrenorm.linear import StackedLinear
from bnrenorm.norm.links import StackedNormalization
from bnrenorm.norm.schedule import Ramp
from bnrenorm.norm.semantics import SEMANTICS
from bnrenorm.streams import Stream, generator


class Perceptron(chainer.Chain):
    """Hidden layers of Linear, activation and normalisation, then a linear output layer; R replicas side by side."""

    def __init__(self, linears: list[StackedLinear], norms: list[StackedNormalization], *, norm_first: bool):
        super().__init__()
        self.norm_first = norm_first
        with self.init_scope():
            self.linears = chainer.ChainList(*linears)
            self.norms = chainer.ChainList(*norms)

    def forward(self, x: Any) -> Any:
        """Map images (N, D), shared by all replicas, or (R, N, D) to logits (R, N, C)."""
        *hidden, output = self.linears
        norms: list[Callable[[Any], Any]] = list(self.norms) or [_identity] * len(hidden)
        for linear, norm in zip(hidden, norms, strict=True):
            x = F.relu(norm(linear(x))) if self.norm_first else norm(F.relu(linear(x)))
        return output(x)


def _identity(x: Any) -> Any:
    return x


def build(trials: list[Trial], inputs: int) -> Perceptron:
    """Make the network of a group of trials, one replica each, for images of that many numbers.

    The initial weights are a function of the seed and the layer alone: variants of one seed start from the same ones.
    """
    model = trials[0].settings.model
    widths = [inputs, *model.hidden, model.outputs]
    linears = [
        StackedLinear(np.stack([_lecun_normal(trial.seed, layer, fan_in, width) for trial in trials]))
        for layer, (fan_in, width) in enumerate(itertools.pairwise(widths))
    ]
    norms = [norm for width in model.hidden for norm in _normalization(trials, width)]
    return Perceptron(linears, norms, norm_first=model.order == "linear-norm-activation")


def _lecun_normal(seed: int, layer: int, fan_in: int, width: int) -> np.ndarray:
    """Draw weights (K, D) of variance 1 / D, as chainer.initializers.LeCunNormal does."""
    draws = generator(seed, Stream.WEIGHTS, layer).standard_normal((width, fan_in))
    return (draws / np.sqrt(fan_in)).astype(np.float32)


def _normalization(trials: list[Trial], width: int) -> list[StackedNormalization]:
    """Make one layer's normalisation, or none. Batch normalisation is renormalisation with r_max 1 and d_max 0."""
    norms = [trial.settings.norm for trial in trials]
    stacked = [norm for norm in norms if isinstance(norm, BatchNorm)]
    if len(stacked) < len(norms):
        return []

    def vector(value: Callable[[BatchNorm], float]) -> np.ndarray:
        return np.array([value(norm) for norm in stacked]).reshape(-1, 1, 1)

    def ramp(first: float, last: str, length: str) -> Ramp:
        return Ramp(
            first=first,
            last=vector(lambda norm: getattr(norm, last) if isinstance(norm, Renorm) else first),
            start=vector(lambda norm: norm.warmup.amount if isinstance(norm, Renorm) else 0),
            length=vector(lambda norm: getattr(norm, length).amount if isinstance(norm, Renorm) else 0),
        )

    link = StackedNormalization(
        len(trials),
        width,
        r_max=ramp(1.0, "r_max", "ramp_r"),
        d_max=ramp(0.0, "d_max", "ramp_d"),
        semantics=SEMANTICS[stacked[0].semantics],
        decay=vector(lambda norm: norm.decay),
        eps=vector(lambda norm: norm.eps),
    )
    return [link]


def structure(trial: Trial) -> tuple[Any, ...]:
    """Tell what trials must share to be stacked; in all else (seed, rates, limits, decays) replicas may differ."""
    settings = trial.settings
    semantics = settings.norm.semantics if isinstance(settings.norm, BatchNorm) else None
    optimizer = settings.training.optimizer.kind
    return (settings.model, semantics, settings.training.batch, settings.training.steps, optimizer, settings.evaluation)
