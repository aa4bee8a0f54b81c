"""Dropout of stacked replicas; the masks are pure functions of (seed, step, layer)."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial
from bnrenorm.norm.device_copy import DeviceCopy
from bnrenorm.rng import Stream, generator


def ranks(seed: int, step: int, widths: tuple[int, ...]) -> list[np.ndarray]:
    """Return a random permutation (D,) per layer. The "exact" form keeps the nodes whose rank is below `kept(...)`.

    Thus a larger fraction keeps a superset of the nodes. `widths` are those of the inputs and the hidden layers.
    """
    random = generator(seed, Stream.DROPOUT, step)
    return [random.permutation(width) for width in widths]


def kept(fraction: float, width: int) -> int:
    """Return the number of nodes that the "exact" form keeps in a layer of `width` nodes."""
    return round(fraction * width)


class Dropout:
    """Dropout of a group of trials, as described in `config.network.Dropout`.

    `widths` are those of the inputs and the hidden layers. The replicas share the `form`; each has its own fractions.
    """

    def __init__(self, trials: list[Trial], widths: tuple[int, ...]):
        self.form, self.widths = trials[0].settings.model.dropout.form, widths
        self.seeds = [trial.seed for trial in trials]
        settings = [trial.settings.model.dropout for trial in trials]
        inputs = np.array([dropout.keep_input for dropout in settings])
        hidden = np.array([dropout.keep_hidden for dropout in settings])
        self.fractions = [inputs, *[hidden] * (len(widths) - 1)]
        self.drops = settings[0].drops
        self._masks = (-1, np.empty(0))  # the "exact" form's, and the step that they are of
        self._copies = [DeviceCopy() for _ in widths]

    @property
    def counts(self) -> list[list[int]]:
        """The numbers of nodes that the "exact" form keeps, by layer and replica."""
        layers = zip(self.fractions, self.widths, strict=True)
        return [[kept(fraction, width) for fraction in fractions] for fractions, width in layers]

    def __call__(self, x: Any, depth: int, step: int) -> Any:
        """Apply dropout to x, (R, N, D) or shared (N, D), at layer `depth` (0 = inputs).

        In inference mode the "exact" form multiplies x by the kept fraction; the "inverted" form returns x unchanged.
        """
        if not self.drops or (self.form == "inverted" and not chainer.config.train):
            return x
        x = chainer.as_variable(x)
        if not chainer.config.train:
            factor = self._copies[depth].of(self.fractions[depth].reshape(-1, 1, 1).astype(x.dtype), x.array)
        elif self.form == "exact":
            begin = sum(self.widths[:depth])
            factor = self._copies[0].of(self._exact(step), x.array)[:, :, begin : begin + self.widths[depth]]
        else:
            factor = self._inverted(depth, step, x.shape[-2])
        factor = x.xp.asarray(factor, x.dtype)
        shape = np.broadcast_shapes(x.shape, factor.shape)
        return F.broadcast_to(x, shape) * x.xp.broadcast_to(factor, shape)

    def _exact(self, step: int) -> np.ndarray:
        """Return the masks (R, 1, D + H + ...) of all layers: 1 for kept nodes, 0 for dropped ones."""
        if self._masks[0] != step:
            drawn = {seed: np.concatenate(ranks(seed, step, self.widths)) for seed in set(self.seeds)}
            is_kept = np.stack([drawn[seed] for seed in self.seeds]) < np.repeat(self.counts, self.widths, axis=0).T
            self._masks = step, is_kept[:, None].astype(np.float32)
        return self._masks[1]

    def _inverted(self, depth: int, step: int, n: int) -> np.ndarray:
        """Return the mask (R, N, D): 1 / fraction for kept nodes, 0 for dropped ones."""
        stream, shape = step * len(self.widths) + depth, (n, self.widths[depth])
        draws = {seed: generator(seed, Stream.DROPOUT, stream).random(shape, np.float32) for seed in set(self.seeds)}
        return np.stack(
            [
                (draws[seed] < fraction) / np.float32(fraction)
                for seed, fraction in zip(self.seeds, self.fractions[depth], strict=True)
            ]
        ).astype(np.float32)
