"""Drop-in Links for a user's own Chain: `bnrenorm.BatchNormalization` and `bnrenorm.BatchRenormalization`.

They replace `chainer.links.BatchNormalization` on (N, D) and (N, C, H, W) inputs. Chainer's serializers save their
complete state, including the step that the schedules depend on.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.errors import InputError
from bnrenorm.norm import formulas
from bnrenorm.norm.function import renormalise
from bnrenorm.norm.schedule import Ramp
from bnrenorm.norm.semantics import SEMANTICS

Limit = float | Callable[[int], float]


class _Normalization(chainer.Link):
    """Abstract base. Learned: gamma, beta (D,). Persistent: run_mean, run_scale (D,) and step.

    Raises InputError for a size, decay, eps, limit or name of semantics that is out of range.
    """

    def __init__(
        self, size: int, r_max: Limit, d_max: Limit, semantics: str, decay: float | None, eps: float | None, dtype: Any
    ):
        super().__init__()
        if size < 1:
            raise InputError(f"size is {size}, expected the number of features, at least 1")
        if semantics not in SEMANTICS:
            raise InputError(f"semantics is {semantics!r}, expected {' or '.join(map(repr, SEMANTICS))}")
        self.semantics = SEMANTICS[semantics]
        self.decay = self.semantics.decay if decay is None else float(decay)
        self.eps = self.semantics.eps if eps is None else float(eps)
        if not 0 <= self.decay < 1:
            raise InputError(f"decay is {self.decay}, expected 0 <= decay < 1")
        if not self.eps > 0:
            raise InputError(f"eps is {self.eps}, expected a positive number")
        self.r_max, self.d_max = r_max, d_max
        self._limits(0)
        ones = np.ones(size, dtype)
        with self.init_scope():
            self.gamma, self.beta = chainer.Parameter(ones), chainer.Parameter(0 * ones)
        self.add_persistent("run_mean", 0 * ones)
        self.add_persistent("run_scale", ones.copy())
        self.add_persistent("step", 0)

    def _limits(self, step: int) -> tuple[float, float]:
        r_max, d_max = (float(limit(step) if callable(limit) else limit) for limit in (self.r_max, self.d_max))
        if not 1 <= r_max < math.inf:
            raise InputError(f"r_max is {r_max} at step {step}, expected a finite number of at least 1")
        if not 0 <= d_max < math.inf:
            raise InputError(f"d_max is {d_max} at step {step}, expected a finite number of at least 0")
        return r_max, d_max

    def forward(self, x: Any) -> Any:
        """Normalise (N, D), or (N, C, H, W) per channel; returns a Variable of the same shape and dtype.

        Training mode (`chainer.config.train`) normalises by the batch's statistics and updates the running ones;
        inference mode normalises by the running ones and changes nothing. Raises InputError for another shape.
        """
        x = chainer.as_variable(x)
        if x.ndim not in (2, 4):
            raise InputError(f"x has shape {x.shape}, expected (N, D) or (N, C, H, W)")
        if x.ndim == 4:
            n, channels, height, width = x.shape
            y = self._normalise(F.transpose(x, (0, 2, 3, 1)).reshape(1, -1, channels))
            return F.transpose(y.reshape(n, height, width, channels), (0, 3, 1, 2))
        return self._normalise(x.reshape(1, *x.shape)).reshape(x.shape)

    def _normalise(self, x: Any) -> Any:
        gamma, beta = self.gamma.reshape(1, 1, -1), self.beta.reshape(1, 1, -1)
        run_mean, run_scale = self.run_mean[None, None], self.run_scale[None, None]
        run_std = self.semantics.std(run_scale, self.eps)
        if not chainer.config.train:
            return (x - run_mean) * (gamma / run_std) + beta
        mean, var = formulas.moments(x.array)
        std = (var + self.eps) ** 0.5
        r, d = formulas.corrections(mean, std, run_mean, run_std, *self._limits(self.step))
        y = renormalise(x, gamma, beta, mean, std, r, d)
        batch_scale = self.semantics.keep(var, x.shape[1], self.eps)
        self.run_mean[...] = formulas.moving_average(run_mean, mean, self.decay)[0, 0]
        self.run_scale[...] = formulas.moving_average(run_scale, batch_scale, self.decay)[0, 0]
        self.step += 1
        return y


class BatchNormalization(_Normalization):
    """Batch normalisation of (N, D) or (N, C, H, W), with `size` features or channels. [BN15]

    `semantics` is "chainer" (running unbiased variance; decay 0.9, eps 2e-5) or "paper" (running standard deviation;
    decay 0.99, eps 1e-5). `decay` (weight of the old running value, 0 <= decay < 1) and `eps` (added to the variance,
    positive) override its defaults. Raises InputError for a value out of range.
    """

    def __init__(
        self,
        size: int,
        *,
        semantics: str = "chainer",
        decay: float | None = None,
        eps: float | None = None,
        dtype: Any = np.float32,
    ):
        super().__init__(size, 1.0, 0.0, semantics, decay, eps, dtype)


class BatchRenormalization(_Normalization):
    """Batch renormalisation of (N, D) or (N, C, H, W), with `size` features or channels. [BRN17]

    r_max (finite, >= 1) and d_max (finite, >= 0) are numbers, or functions of the training step such as
    `Ramp(1, 3, start=5_000, length=35_000)`. The defaults are the paper's final values, 3 and 5; those of
    chainer.links.BatchRenormalization (1 and 0) are batch normalisation. `semantics`, `decay` and `eps` as in
    `BatchNormalization`. Raises InputError for a value out of range, at construction or at the step that reaches it.
    """

    def __init__(
        self,
        size: int,
        r_max: Limit = 3.0,
        d_max: Limit = 5.0,
        *,
        semantics: str = "chainer",
        decay: float | None = None,
        eps: float | None = None,
        dtype: Any = np.float32,
    ):
        super().__init__(size, r_max, d_max, semantics, decay, eps, dtype)


__all__ = ["BatchNormalization", "BatchRenormalization", "Ramp"]
