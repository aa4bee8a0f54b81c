"""Softmax cross entropy of one image, with its gradient."""

import numpy as np

from bnrenorm.engines.cpu.codegen.decorators import subroutine


@subroutine
def softmax_cross_entropy(logits, label, n, learning, g):
    """Return log(sum exp(logits - top)), the top logit and its class, of one image: loss = log_sum - (logit - top).

    logits (C,) float. With `learning`, g (C,) becomes the gradient of the mean loss over n images; otherwise it is
    scratch. g may be the logits themselves.
    """
    classes, one = len(logits), logits.dtype.type(1)
    top, best = logits[0], 0
    for c in range(1, classes):
        if logits[c] > top:
            top, best = logits[c], c
    total = logits.dtype.type(0)
    for c in range(classes):
        g[c] = np.exp(logits[c] - top)
        total += g[c]
    if learning:
        for c in range(classes):
            g[c] /= total * n
        g[label] -= one / n
    return np.log(total), top, best
