"""Batch (re)normalisation with its state: parameters and what must survive a crash."""

from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.norm import formulas
from bnrenorm.norm.function import renormalise
from bnrenorm.norm.schedule import Ramp
from bnrenorm.norm.semantics import Semantics


class StackedNormalization(chainer.Link):
    """Batch normalisation or renormalisation of (R, N, D) activations, one set of everything per replica.

    r_max and d_max are `Ramp`s of (R, 1, 1) arrays; a replica with r_max 1 and d_max 0 is plain batch normalisation.
    decay and eps are (R, 1, 1). Learned: gamma, beta (R, 1, D). Persistent: run_mean, run_scale (R, 1, D) (the running
    variance or standard deviation, as the semantics say) and step, the count of training batches that the schedules
    go by. In training mode the batch's statistics normalise, and the running ones are updated after r and d were had
    from them [BRN17, Alg. 1]; otherwise the running ones normalise, and nothing changes.
    """

    def __init__(
        self,
        replicas: int,
        width: int,
        *,
        r_max: Ramp,
        d_max: Ramp,
        semantics: Semantics,
        decay: np.ndarray,
        eps: np.ndarray,
    ):
        super().__init__()
        self.r_max, self.d_max, self.semantics = r_max, d_max, semantics
        self.decay, self.eps = np.float32(decay), np.float32(eps)
        ones = np.ones((replicas, 1, width), np.float32)
        with self.init_scope():
            self.gamma, self.beta = chainer.Parameter(ones), chainer.Parameter(0 * ones)
        self.add_persistent("run_mean", 0 * ones)
        self.add_persistent("run_scale", ones.copy())
        self.add_persistent("step", 0)

    def forward(self, x: Any) -> Any:
        """Normalise a Variable or array (R, N, D), float32, to a Variable of the same shape."""
        x = chainer.as_variable(x)
        eps = self.xp.asarray(self.eps)
        run_std = self.semantics.std(self.run_scale, eps)
        if not chainer.config.train:
            return (x - self.run_mean) * (self.gamma / run_std) + self.beta
        mean, var = formulas.moments(x.array)
        std = (var + eps) ** 0.5
        limits = (self.xp.asarray(limit(self.step), x.dtype) for limit in (self.r_max, self.d_max))
        r, d = formulas.corrections(mean, std, self.run_mean, run_std, *limits)
        y = renormalise(x, self.gamma, self.beta, mean, std, r, d)
        decay = self.xp.asarray(self.decay)
        kept = self.semantics.keep(var, x.shape[1], eps)
        self.run_mean[...] = formulas.moving_average(self.run_mean, mean, decay)
        self.run_scale[...] = formulas.moving_average(self.run_scale, kept, decay)
        self.step += 1
        return y
