"""gamma and beta of stacked replicas, and layer normalisation, which has nothing else."""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.norm import formulas
from bnrenorm.norm.function import renormalise


class StackedAffine(chainer.Link):
    """gamma, initially 1, and beta, initially 0, of R replicas of `width` nodes.

    `per` is "node" (parameters (R, 1, D)), "layer" (R, 1, 1), or "none" (no parameters).
    """

    def __init__(self, replicas: int, width: int, per: str):
        super().__init__()
        self.replicas, self.width, self.per = replicas, width, per
        if per != "none":
            ones = np.ones((replicas, 1, width if per == "node" else 1), np.float32)
            with self.init_scope():
                self.gamma, self.beta = chainer.Parameter(ones), chainer.Parameter(0 * ones)

    def parameters(self, dtype: Any) -> tuple[Any, Any]:
        """Return gamma and beta as Variables (R, 1, D)."""
        shape = (self.replicas, 1, self.width)
        if self.per == "none":
            return chainer.Variable(self.xp.ones(shape, dtype)), chainer.Variable(self.xp.zeros(shape, dtype))
        if self.per == "layer":
            return F.broadcast_to(self.gamma, shape), F.broadcast_to(self.beta, shape)
        return self.gamma, self.beta


class StackedLayerNormalization(chainer.Chain):
    """Layer normalisation of (R, N, D): every example by its own mean and std over the nodes, then gamma, beta. [LN16]

    The same in training and inference. eps is (R, 1, 1).
    """

    def __init__(self, affine: StackedAffine, eps: np.ndarray):
        super().__init__()
        self.eps = np.float32(eps)
        with self.init_scope():
            self.affine = affine

    def forward(self, x: Any) -> Any:
        """Normalise a Variable or array (R, N, D) to a Variable of the same shape: batch and nodes change places."""
        x = F.swapaxes(chainer.as_variable(x), 1, 2)
        gamma, beta = self.affine.parameters(x.dtype)
        mean, var = formulas.moments(x.array)
        one = self.xp.ones_like(mean)
        y = renormalise(x, one, 0 * one, mean, (var + self.xp.asarray(self.eps)) ** 0.5, one, 0 * one)
        return F.swapaxes(y, 1, 2) * gamma + beta
