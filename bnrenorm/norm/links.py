"""Batch (re)normalisation of stacked replicas as a Chainer Link: learned parameters and persistent statistics."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.norm import formulas
from bnrenorm.norm.affine import StackedAffine
from bnrenorm.norm.device_copy import DeviceCopy
from bnrenorm.norm.diagnosis import diagnose
from bnrenorm.norm.function import renormalise
from bnrenorm.norm.schedule import Ramp
from bnrenorm.norm.semantics import Semantics

Array = Any


class StackedNormalization(chainer.Chain):
    """Batch normalisation or renormalisation of (R, N, D) activations, with separate statistics for each replica.

    r_max and d_max are `Ramp`s with (R, 1, 1) values; a replica with r_max 1 and d_max 0 is plain batch normalisation.
    decay (weight of the old running value) and eps are (R, 1, 1).

    Learned: gamma and beta, in `affine`. Persistent: run_mean, run_scale (R, 1, D), where run_scale is the running
    variance or standard deviation, depending on `semantics`; and step, the number of training batches seen, which is
    the argument of the schedules.

    Training mode normalises by the batch's statistics, and updates the running ones after r and d were computed from
    them [BRN17, Alg. 1]. Inference mode normalises by the running ones and changes nothing.

    With `micro_batch` m, each m consecutive examples are normalised by their own statistics, and the running
    statistics are updated with the mean over the micro-batches [BRN17, sec. 4.2].

    The engines set three flags: `frozen` (training mode does not update the running statistics),
    `use_batch_statistics` (inference mode normalises by the batch too) and `observing` (each training batch fills
    `diagnosis`).
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
        self.decay, self.eps = np.asarray(decay, np.float32), np.asarray(eps, np.float32)
        self._copies = {name: DeviceCopy() for name in ("decay", "eps", "r_max", "d_max")}
        self.frozen = self.use_batch_statistics = self.observing = False
        self.diagnosis: dict[str, Array] = {}
        with self.init_scope():
            self.affine = affine
        zeros = np.zeros((affine.replicas, 1, affine.width), np.float32)
        self.add_persistent("run_mean", zeros)
        self.add_persistent("run_scale", zeros + 1)
        self.add_persistent("step", 0)

    def forward(self, x: Any) -> Any:
        """Normalise a float32 Variable or array (R, N, D); returns a Variable of the same shape."""
        x = chainer.as_variable(x)
        gamma, beta = self.affine.parameters(x.dtype)
        eps = self._copies["eps"].of(self.eps, x.array)
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
        micro_batches = n // m  # folded into the replica axis: (R, N, D) becomes (R * micro_batches, m, D)

        def per_micro_batch(statistics: Any) -> Any:
            if micro_batches == 1:
                return statistics
            wide = (replicas, micro_batches, 1, statistics.shape[2])
            return F.broadcast_to(F.expand_dims(statistics, 1), wide).reshape(-1, 1, wide[3])

        def mean_over_micro_batches(statistics: Array) -> Array:
            return statistics.reshape(replicas, micro_batches, 1, width).mean(axis=1)

        x = x if micro_batches == 1 else x.reshape(replicas * micro_batches, m, width)
        mean, var = formulas.moments(x.array)
        wide_mean, wide_std, wide_eps, r_max, d_max = (
            chainer.as_array(per_micro_batch(value))
            for value in (
                self.run_mean,
                run_std,
                eps,
                self._limit("r_max", x.array),
                self._limit("d_max", x.array),
            )
        )
        std = (var + wide_eps) ** 0.5
        r, d = formulas.corrections(mean, std, wide_mean, wide_std, r_max, d_max)
        y = renormalise(x, per_micro_batch(gamma), per_micro_batch(beta), mean, std, r, d)
        if self.observing:
            statistics = (mean, std, wide_mean, wide_std, r, d, r_max + 0 * mean, d_max + 0 * mean)
            self.diagnosis = diagnose(*(value.reshape(replicas, micro_batches, width) for value in statistics))
        if not self.frozen:
            decay = self._copies["decay"].of(self.decay, mean)
            batch_scale = self.semantics.keep(var, m, wide_eps)
            self.run_mean[...] = formulas.moving_average(self.run_mean, mean_over_micro_batches(mean), decay)
            self.run_scale[...] = formulas.moving_average(self.run_scale, mean_over_micro_batches(batch_scale), decay)
            self.step += 1
        return y.reshape(shape)

    def scale(self, var: Array, n: int) -> Array:
        """Return what `run_scale` would be for a biased variance (R, 1, D) over n examples."""
        return self.semantics.keep(var, n, self._copies["eps"].of(self.eps, var))

    def _limit(self, name: str, x: Array) -> Array:
        """Return r_max or d_max (R, 1, 1) at this step, on the device of x."""
        value = np.asarray(getattr(self, name)(self.step), x.dtype).reshape(-1, 1, 1)
        return self._copies[name].of(value, x)
