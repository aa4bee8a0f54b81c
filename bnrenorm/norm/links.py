"""Batch (re)normalisation with its state: parameters and what must survive a crash."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.norm import formulas
from bnrenorm.norm.affine import StackedAffine
from bnrenorm.norm.diagnosis import diagnose
from bnrenorm.norm.function import renormalise
from bnrenorm.norm.schedule import Ramp
from bnrenorm.norm.semantics import Semantics

Array = Any


class StackedNormalization(chainer.Chain):
    """Batch normalisation or renormalisation of (R, N, D) activations, one set of everything per replica.

    r_max and d_max are `Ramp`s of (R, 1, 1) arrays; a replica with r_max 1 and d_max 0 is plain batch normalisation.
    decay and eps are (R, 1, 1). Learned: gamma and beta, in `affine`. Persistent: run_mean, run_scale (R, 1, D) (the
    running variance or standard deviation, as the semantics say) and step, the count of training batches that the
    schedules go by. In training mode the batch's statistics normalise, and the running ones are updated after r and d
    were had from them [BRN17, Alg. 1]; otherwise the running ones normalise, and nothing changes.

    With `micro_batch` m, every m examples in a row are normalised by their own statistics, and the running ones take
    the mean over these [BRN17, sec. 4.2]. Three switches are the loop's to turn: `frozen` leaves the running
    statistics as they are in training mode, `use_batch_statistics` normalises by the batch in inference mode as well,
    and `observing` keeps a `diagnosis` of every training batch.
    """

    def __init__(
        self,
        affine: StackedAffine,
        *,
        r_max: Ramp,
        d_max: Ramp,
        semantics: Semantics,
        decay: np.ndarray,
        eps: np.ndarray,
        micro_batch: int | None = None,
    ):
        super().__init__()
        self.r_max, self.d_max, self.semantics, self.micro_batch = r_max, d_max, semantics, micro_batch
        self.decay, self.eps = np.float32(decay), np.float32(eps)
        self.frozen = self.use_batch_statistics = self.observing = False
        self.diagnosis: dict[str, Array] = {}
        with self.init_scope():
            self.affine = affine
        zeros = np.zeros((affine.replicas, 1, affine.width), np.float32)
        self.add_persistent("run_mean", zeros)
        self.add_persistent("run_scale", zeros + 1)
        self.add_persistent("step", 0)

    def forward(self, x: Any) -> Any:
        """Normalise a Variable or array (R, N, D), float32, to a Variable of the same shape."""
        x = chainer.as_variable(x)
        gamma, beta = self.affine.parameters(x.dtype)
        eps = self.xp.asarray(self.eps)
        run_std = self.semantics.std(self.run_scale, eps)
        if chainer.config.train:
            return self._train(x, gamma, beta, run_std, eps)
        if self.use_batch_statistics:
            mean, var = formulas.moments(x.array)
            one = self.xp.ones_like(mean)
            return renormalise(x, gamma, beta, mean, (var + eps) ** 0.5, one, 0 * one)
        return (x - self.run_mean) * (gamma / run_std) + beta

    def _train(self, x: Any, gamma: Any, beta: Any, run_std: Array, eps: Array) -> Any:
        shape = replicas, n, width = x.shape
        m = self.micro_batch or n
        parts = n // m  # micro-batches stand in the replicas' axis while they are normalised

        def spread(statistics: Any) -> Any:
            if parts == 1:
                return statistics
            wide = (replicas, parts, 1, statistics.shape[2])
            return F.broadcast_to(chainer.as_variable(statistics)[:, None], wide).reshape(-1, 1, wide[3])

        def gather(statistics: Array) -> Array:
            return statistics.reshape(replicas, parts, 1, width).mean(axis=1)

        x = x if parts == 1 else x.reshape(replicas * parts, m, width)
        mean, var = formulas.moments(x.array)
        wide_mean, wide_std, wide_eps, r_max, d_max = (
            chainer.as_array(spread(value))
            for value in (
                self.run_mean,
                run_std,
                eps,
                *(self.xp.asarray(limit(self.step), x.dtype).reshape(-1, 1, 1) for limit in (self.r_max, self.d_max)),
            )
        )
        std = (var + wide_eps) ** 0.5
        r, d = formulas.corrections(mean, std, wide_mean, wide_std, r_max, d_max)
        y = renormalise(x, spread(gamma), spread(beta), mean, std, r, d)
        if self.observing:
            seen = (mean, std, wide_mean, wide_std, r, d, r_max + 0 * mean, d_max + 0 * mean)
            self.diagnosis = diagnose(*(value.reshape(replicas, parts, width) for value in seen))
        if not self.frozen:
            decay = self.xp.asarray(self.decay)
            kept = self.semantics.keep(var, m, wide_eps)
            self.run_mean[...] = formulas.moving_average(self.run_mean, gather(mean), decay)
            self.run_scale[...] = formulas.moving_average(self.run_scale, gather(kept), decay)
            self.step += 1
        return y.reshape(shape)
