"""Scratch memory of a forward and backward pass over a batch of a given size."""

import itertools
import math
from typing import Any

import numpy as np

from bnrenorm.engines.cuda.rows import PIECE, Rows, pieces_of
from bnrenorm.engines.spec import BATCH, LAYER, NONE, KernelSpec

Array = Any


class Workspace:
    """Arrays for R replicas and `rows.n` images; H hidden layers, of K nodes each layer its own, and C classes.

    After a forward pass `a[h]` (R, N, K) has the inputs of the normalisations, `y[h]` (R, N, K) the outputs (the
    same array where nothing changes it), `logits` (R, N, C), `stats[h]` (R, groups, 6, K) the statistics and
    corrections of batch normalisation, and `right` (R, N) which answers are right. A backward pass needs `learning`.
    """

    def __init__(
        self, xp: Any, dtype: Any, replicas: int, widths: tuple[int, ...], rows: Rows, spec: KernelSpec, *,
        drops: bool, learning: bool,
    ):  # fmt: skip
        self.rows = rows
        hidden, n, widest = widths[1:-1], rows.n, max(widths[1:])

        def real(*shape: int) -> Array:
            return xp.empty(shape, dtype)

        self.a = [real(replicas, n, width) for width in hidden]
        changed = spec.norm != NONE or drops
        self.y = [real(replicas, n, width) for width in hidden] if changed else self.a
        self.logits = real(replicas, n, widths[-1])
        batch, layer = spec.norm == BATCH, spec.norm == LAYER
        self.moments = real(replicas, rows.total, 2, widest) if batch or learning else None
        self.stats = [real(replicas, rows.groups, 6, width) if batch else None for width in hidden]
        self.row_stats = [real(replicas, n, 2) if layer else None for _ in hidden]
        self.losses = xp.empty((replicas, -(-n // PIECE), 2), np.float64)
        self.right = xp.empty((replicas, n), np.uint8)
        if not learning:
            return
        self.bias = [real(replicas, rows.total, width) for width in widths[1:-1]] + [
            real(replicas, -(-n // PIECE), widths[-1])
        ]
        self.affine = [(real(replicas, width), real(replicas, width)) for width in hidden]
        self.coef = [real(replicas, rows.groups, 3, width) if batch else None for width in hidden]
        self.row_sums = real(replicas, n, 2) if layer else None
        self._g = [real(replicas * n * max(hidden)) for _ in range(min(2, len(hidden)))]
        self._weights = real(replicas * pieces_of(n) * max(a * b for a, b in itertools.pairwise(widths)))

    def gradient(self, depth: int) -> Array:
        """Return scratch (R, N, K) for the gradient of hidden layer `depth`; neighbours have different ones."""
        shape = self.a[depth].shape
        return self._g[depth % len(self._g)][: math.prod(shape)].reshape(shape)

    def weight_gradient(self, shape: tuple[int, ...], pieces: int = 1) -> Array:
        """Return scratch (R, pieces, K, D) for the gradient of a layer's weights (R, K, D)."""
        replicas, *rest = shape
        return self._weights[: pieces * math.prod(shape)].reshape(replicas, pieces, *rest)

    def moments_of(self, width: int) -> Array | None:
        """Return scratch (R, rows.total, 2, K) for sums over the images of every piece."""
        if self.moments is None:
            return None
        replicas, total, _, _ = self.moments.shape
        return self.moments.ravel()[: replicas * total * 2 * width].reshape(replicas, total, 2, width)


class _Counted:
    """Stands for an array module, and counts the bytes that it is asked for."""

    def __init__(self):
        self.bytes = 0

    def empty(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.bytes += math.prod(shape) * np.dtype(dtype).itemsize


def bytes_of(dtype: Any, widths: tuple[int, ...], rows: Rows, spec: KernelSpec, *, drops: bool, learning: bool) -> int:
    """Return the bytes of a replica's workspace."""
    counted = _Counted()
    Workspace(counted, dtype, 1, widths, rows, spec, drops=drops, learning=learning)
    return counted.bytes
