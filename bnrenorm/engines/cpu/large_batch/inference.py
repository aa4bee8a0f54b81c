"""Loss and accuracy of one replica, normalised by the statistics of the evaluated images themselves."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bnrenorm.engines.cpu.large_batch.folded_norm import FoldedNorm
from bnrenorm.engines.cpu.large_batch.passes import Passes
from bnrenorm.engines.cpu.ops.layout import WIDTH
from bnrenorm.engines.spec import Hyperparams

Array = Any


def by_batch_statistics(passes: Passes, pool: ThreadPoolExecutor, hyper: Hyperparams, p: Array) -> tuple[float, float]:
    """Return the mean loss and the accuracy of all images of `passes`, by whose statistics layers are normalised.

    p (P,): the parameters.
    """

    def normalise(depth: int, mean: Array, var: Array) -> FoldedNorm:
        mean, std = mean.astype(p.dtype), np.sqrt(var + hyper.eps).astype(p.dtype)
        one = np.ones_like(mean)
        return FoldedNorm(passes.spec, mean, std, one, 0 * one, *passes.affine(p, depth))

    norms = passes.forward(pool, p, normalise)
    classes = passes.layout.layers[-1, WIDTH]
    g, logits = np.empty((passes.rows, classes), p.dtype), np.empty((0, classes), p.dtype)
    *_, loss, right = passes.output(pool, norms, p, g, logits, learning=False)
    return loss / passes.rows, right / passes.rows
