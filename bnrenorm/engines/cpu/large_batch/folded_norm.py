"""A normalisation folded into the next linear layer: normalised activations of a large batch are never written."""

from typing import Any

import numpy as np

from bnrenorm.engines.spec import KernelSpec

Array = Any


class FoldedNorm:
    """Maps a hidden layer's h to its output, gamma ((h - mean) / std r + d) + beta, and gradients back.

    Where no ReLU comes between, gamma, r, d and beta are folded into the next layer's weights. All arguments are (D,).
    `norm` (3, D) is what `blocks` applies to h: mean, scale and shift; `relu` tells whether ReLU follows it.
    """

    def __init__(self, spec: KernelSpec, mean: Array, std: Array, r: Array, d: Array, gamma: Array, beta: Array):
        self.std, self.r, self.d = std, r, d
        self.relu = bool(spec.norm_first)
        self.scale, self.shift = gamma * r, gamma * d + beta
        applied = (mean, self.scale / std, self.shift) if self.relu else (mean, 1 / std, 0 * mean)
        self.norm = np.stack(applied)

    def fold(self, w: Array, b: Array) -> tuple[Array, Array]:
        """Return the next layer's weights (K, D) and biases (K,) for what `norm` alone leaves."""
        return (w, b) if self.relu else (w * self.scale, b + w @ self.shift)

    def unfold(self, gw: Array, gb: Array) -> Array:
        """Return the gradient of the next layer's weights (K, D) from that of the folded ones."""
        return gw if self.relu else gw * self.scale + np.outer(gb, self.shift)

    def factors(self, sum_dy_xmu: Array, sum_dy: Array, n: int) -> Array:
        """Return the factors (3, D) of `blocks.grad_to_linear`: sums of gy (h - mean) and of gy. [BRN17, sec. 3]"""
        return np.stack([-sum_dy_xmu / (n * self.std**2), -sum_dy / n, self.scale / self.std])


def identity(spec: KernelSpec, width: int, dtype: Any) -> FoldedNorm:
    """Return what leaves h as it is."""
    zero, one = np.zeros(width, dtype), np.ones(width, dtype)
    return FoldedNorm(spec, zero, one, one, zero, one, zero)
