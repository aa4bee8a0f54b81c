"""Softmax cross entropy of one image, with its gradient."""

import numpy as np

from bnrenorm.engines.cpu.codegen.decorators import strict_subroutine


@strict_subroutine
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
    for c in range(classes):
        g[c] = np.exp(logits[c] - top)
    total = _sum(g)
    if learning:
        scale = one / (total * n)
        for c in range(classes):
            g[c] *= scale
        g[label] -= one / n
    return np.log(total), top, best


@strict_subroutine
def _sum(x):
    """Return the sum of x (C,), always in one order: LLVM's depends on the processor, and on where x lies."""
    a = b = c = d = x.dtype.type(0)
    fours = len(x) // 4 * 4
    for k in range(0, fours, 4):
        a += x[k]
        b += x[k + 1]
        c += x[k + 2]
        d += x[k + 3]
    total = (a + c) + (b + d)
    for k in range(fours, len(x)):
        total += x[k]
    return total
