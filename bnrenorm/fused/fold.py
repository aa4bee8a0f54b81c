"""A normalisation folded into the next linear layer, for large batches: normalised activations are never written."""

from typing import Any

import numpy as np

from bnrenorm.fused.types import Kind

Array = Any


class Layer:
    """How a hidden layer's h becomes its output, gamma ((h - mean) / std r + d) + beta, and back.

    Where no ReLU comes between, gamma, r, d and beta are folded into the next layer's weights.
    """

    def __init__(self, kind: Kind, mean: Array, std: Array, r: Array, d: Array, gamma: Array, beta: Array):
        self.mean, self.std, self.r, self.d, self.gamma = mean, std, r, d, gamma
        self.relu = bool(kind.norm_first)
        self.scale, self.shift = gamma * r, gamma * d + beta
        entered = (mean, self.scale / std, self.shift) if self.relu else (mean, 1 / std, 0 * mean)
        self.norm = np.stack(entered)

    def fold(self, w: Array, b: Array) -> tuple[Array, Array]:
        """Return the next layer's weights and biases for what `norm` alone leaves."""
        return (w, b) if self.relu else (w * self.scale, b + w @ self.shift)

    def unfold(self, gw: Array, gb: Array) -> Array:
        """Return the gradient of the next layer's weights, from that of the folded ones."""
        return gw if self.relu else gw * self.scale + np.outer(gb, self.shift)

    def factors(self, along: Array, total: Array, n: int) -> Array:
        """Return the three factors of `blocks.back`. [BRN17, sec. 3]"""
        return np.stack([-along / (n * self.std**2), -total / n, self.scale / self.std])


def unchanged(kind: Kind, width: int, real: Any) -> Layer:
    """Return what leaves h as it is."""
    zero, one = np.zeros(width, real), np.ones(width, real)
    return Layer(kind, zero, one, one, zero, one, zero)
