"""Loss and accuracy of one replica, normalised by the statistics of the judged images themselves."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bnrenorm.fused.fold import Layer
from bnrenorm.fused.passes import Passes
from bnrenorm.fused.types import Numbers

Array = Any


class ByBatch(Passes):
    """Judges a set of images, by all of which every layer is normalised."""

    learning = False

    def judge(self, pool: ThreadPoolExecutor, numbers: Numbers, p: Array) -> tuple[float, float]:
        """Return the mean loss and the accuracy with the parameters p (P,)."""

        def normalise(depth: int, mean: Array, var: Array) -> Layer:
            mean, std = mean.astype(p.dtype), np.sqrt(var + numbers.eps).astype(p.dtype)
            one = np.ones_like(mean)
            return Layer(self.kind, mean, std, one, 0 * one, *self.affine(p, depth, len(mean)))

        layers = self.forward(pool, p, normalise)
        classes = len(self.linear(p, len(layers))[1])
        g, logits = np.empty((self.rows, classes), p.dtype), np.empty((0, classes), p.dtype)
        *_, loss, right = self.out(pool, layers, p, g, logits)
        return loss / self.rows, right / self.rows
