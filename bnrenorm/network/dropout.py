"""Dropout of stacked replicas: which nodes a step keeps is a function of (seed, step, layer)."""

from functools import lru_cache
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial
from bnrenorm.rng import Stream, generator

Array = Any


@lru_cache(maxsize=64)
def ranks(seed: int, step: int, widths: tuple[int, ...]) -> list[np.ndarray]:
    """Draw every layer's order in which nodes are kept, (D,) each: with k to keep, those whose rank is below k."""
    random = generator(seed, Stream.DROPOUT, step)
    return [random.permutation(width) for width in widths]


def kept(share: float, width: int) -> int:
    """Return how many of so many nodes the "exact" form keeps."""
    return round(share * width)


class Dropout:
    """The dropout of a group's networks: `widths` are those of the inputs and of the hidden layers.

    Replicas have shares of their own, and one `form` (`config.network.Dropout`).
    """

    def __init__(self, trials: list[Trial], widths: tuple[int, ...]):
        self.form, self.widths = trials[0].settings.model.dropout.form, widths
        self.seeds = [trial.seed for trial in trials]
        settings = [trial.settings.model.dropout for trial in trials]
        self.shares = [
            np.array([each.keep_hidden if depth else each.keep_input for each in settings])
            for depth in range(len(widths))
        ]
        self.drops = settings[0].drops

    def __call__(self, x: Any, depth: int, step: int) -> Any:
        """Drop of x (R, N, D), or (N, D) of all replicas, at depth 0, the inputs, to H, what a training step does.

        In inference the "exact" form takes the share of every node, the "inverted" one x as it is.
        """
        if not self.drops or (self.form == "inverted" and not chainer.config.train):
            return x
        x = chainer.as_variable(x)
        if not chainer.config.train:
            factor = self.shares[depth].reshape(-1, 1, 1)
        elif self.form == "exact":
            factor = self._exact(depth, step)
        else:
            factor = self._inverted(depth, step, x.shape[-2])
        factor = x.xp.asarray(factor, x.dtype)
        wide = np.broadcast_shapes(x.shape, factor.shape)
        return F.broadcast_to(x, wide) * x.xp.broadcast_to(factor, wide)

    def _exact(self, depth: int, step: int) -> np.ndarray:
        """(R, 1, D): 1 where a node is kept, 0 elsewhere."""
        width = self.widths[depth]
        rows = [
            ranks(seed, step, self.widths)[depth] < kept(share, width)
            for seed, share in zip(self.seeds, self.shares[depth], strict=True)
        ]
        return np.stack(rows)[:, None].astype(np.float32)

    def _inverted(self, depth: int, step: int, n: int) -> np.ndarray:
        """(R, N, D): 1 / share where a node of an image is kept, 0 elsewhere."""
        draws = {seed: self._uniform(seed, depth, step, n) for seed in set(self.seeds)}
        return np.stack(
            [
                (draws[seed] < share) / np.float32(share)
                for seed, share in zip(self.seeds, self.shares[depth], strict=True)
            ]
        ).astype(np.float32)

    def _uniform(self, seed: int, depth: int, step: int, n: int) -> np.ndarray:
        layers = len(self.widths)
        return generator(seed, Stream.DROPOUT, step * layers + depth).random((n, self.widths[depth]), np.float32)
