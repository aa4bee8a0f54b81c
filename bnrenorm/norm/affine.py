"""Learned scale and shift (gamma, beta) of stacked replicas, and layer normalisation, which has no other state."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.norm import formulas
from bnrenorm.norm.device_copy import DeviceCopy
from bnrenorm.norm.function import renormalise


class StackedAffine(chainer.Link):
    """gamma (initially 1) and beta (initially 0) of R replicas of a layer with `width` = D nodes.

    `per` says how many there are: "node" (parameters (R, 1, D)), "layer" ((R, 1, 1), shared by all nodes) or "none"
    (no parameters). float32.
    """

    def __init__(self, replicas: int, width: int, per: str):
        super().__init__()
        self.replicas, self.width, self.per = replicas, width, per
        if per != "none":
            ones = np.ones((replicas, 1, width if per == "node" else 1), np.float32)
            with self.init_scope():
                self.gamma, self.beta = chainer.Parameter(ones), chainer.Parameter(0 * ones)

    def parameters(self, dtype: Any) -> tuple[Any, Any]:
        """Return gamma and beta as Variables (R, 1, D); constant 1 and 0, of this dtype, if there are none."""
        shape = (self.replicas, 1, self.width)
        if self.per == "none":
            return chainer.Variable(self.xp.ones(shape, dtype)), chainer.Variable(self.xp.zeros(shape, dtype))
        if self.per == "layer":
            return F.broadcast_to(self.gamma, shape), F.broadcast_to(self.beta, shape)
        return self.gamma, self.beta


class StackedLayerNormalization(chainer.Chain):
    """Layer normalisation of (R, N, D): each example by its mean and std over the D nodes, then gamma, beta. [LN16]

    The same in training and inference mode. eps is (R, 1, 1), added to the variance.
    """

    def __init__(self, affine: StackedAffine, eps: np.ndarray):
        super().__init__()
        self.eps, self._eps = np.asarray(eps, np.float32), DeviceCopy()
        with self.init_scope():
            self.affine = affine

    def forward(self, x: Any) -> Any:
        """Normalise a Variable or array (R, N, D); returns a Variable of the same shape."""
        # With batch and nodes swapped, the statistics over the nodes are those of batch normalisation.
        x = F.swapaxes(chainer.as_variable(x), 1, 2)
        gamma, beta = self.affine.parameters(x.dtype)
        mean, var = formulas.moments(x.array)
        one = self.xp.ones_like(mean)
        y = renormalise(x, one, 0 * one, mean, (var + self._eps.of(self.eps, var)) ** 0.5, one, 0 * one)
        return F.swapaxes(y, 1, 2) * gamma + beta
