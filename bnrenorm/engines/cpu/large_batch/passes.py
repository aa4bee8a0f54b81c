"""Forward passes over many images: one replica at a time, its rows spread over the cores.

One array (N, D) per hidden layer holds activations; replicas take turns with it.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bnrenorm.engines.cpu.large_batch import blocks
from bnrenorm.engines.cpu.large_batch.folded_norm import FoldedNorm
from bnrenorm.engines.cpu.ops.layout import AFFINE, FAN_IN, WIDTH, B, ParameterLayout
from bnrenorm.engines.cpu.sparse.packed import PackedImages
from bnrenorm.engines.spec import NODE, KernelSpec

Array = Any


class Passes:
    """Workspace for the N images that were taken last, at most `most`, on `workers` threads.

    `h[depth]` (N, D) is the input of a hidden layer's normalisation, in the packed order of the images.
    """

    def __init__(self, most: int, dtype: Any, spec: KernelSpec, layout: ParameterLayout, workers: int):
        self.spec, self.layout, self.workers = spec, layout, workers
        widths = [int(width) for width in layout.layers[:-1, WIDTH]]
        self.scratch = blocks.allocate_scratch(int(layout.layers[0, FAN_IN]), max(widths), workers, dtype)
        self.memory = [np.empty((most, width), dtype) for width in widths]

    def take(self, packed: PackedImages, labels: Array) -> "Passes":
        """Take packed images with their labels, in the images' order; return self."""
        self.packed, self.labels = packed, labels[packed.order]
        self.rows = len(packed.order)
        self.blocks = -(-self.rows // blocks.ROWS)
        self.h = [memory[: self.rows] for memory in self.memory]
        return self

    def run(self, pool: ThreadPoolExecutor, kernel: Callable[..., None], *own: Iterable[Array]) -> None:
        """Call a kernel on every thread, with the thread's part of each of `own`, its scratch, first and end block."""
        bounds = [self.blocks * i // self.workers for i in range(self.workers + 1)]
        for _ in pool.map(kernel, *own, self.scratch, bounds, bounds[1:]):
            pass

    def forward(
        self, pool: ThreadPoolExecutor, p: Array, normalise: Callable[[int, Array, Array], FoldedNorm]
    ) -> list[FoldedNorm]:
        """Set h, layer by layer; normalise(depth, mean, var) returns a layer's normalisation from its moments (D,)."""
        norms: list[FoldedNorm] = []
        relu = not self.spec.norm_first
        for depth, h in enumerate(self.h):
            w, b = self.linear(p, depth)
            moments = np.empty((self.blocks, 3, h.shape[1]), p.dtype)
            if depth == 0:
                kernel = partial(blocks.forward_first, self.packed.fours, w, b)
            else:
                below = norms[-1]
                kernel = partial(blocks.forward_hidden, self.h[depth - 1], below.norm, below.relu, *below.fold(w, b))
            self.run(pool, partial(kernel, relu, h, moments))
            norms.append(normalise(depth, *self._merged(moments)))
        return norms

    def output(
        self, pool: ThreadPoolExecutor, norms: list[FoldedNorm], p: Array, g: Array, logits: Array, *, learning: bool
    ) -> tuple[Array, Array, float, float]:
        """Run the output layer and the loss; with `learning`, g (N, C) becomes its gradient.

        `logits` (K, C) receives the logits of the first images. Returns the gradients of the folded weights and of the
        biases, the total loss and the count of right answers.
        """
        last = norms[-1]
        w, b = last.fold(*self.linear(p, len(norms)))
        gw = np.zeros((self.workers, len(w) if learning else 0, w.shape[1]), p.dtype)
        gb = np.zeros((self.workers, len(b)))
        sums = np.zeros((self.workers, 2))
        arguments = (self.h[-1], last.norm, last.relu, w, b, self.labels, self.packed.order, g)
        self.run(pool, partial(blocks.output, *arguments), gw, gb, sums, [logits] * self.workers)
        loss, right = sums.sum(axis=0)
        return gw.sum(axis=0), gb.sum(axis=0), float(loss), float(right)

    def linear(self, p: Array, depth: int) -> tuple[Array, Array]:
        """View a layer's weights, (K, D) or for the first layer (D, pitch), and biases (K,)."""
        fan_in, width, w, b = self.layout.layers[depth, : B + 1]
        shape = (width, fan_in) if depth else (fan_in, self.layout.pitch)
        return p[w : w + shape[0] * shape[1]].reshape(shape), p[b : b + width]

    def affine(self, p: Array, depth: int) -> tuple[Array, Array]:
        """Return a hidden layer's gamma and beta, (D,) each."""
        offset, width = self.layout.layers[depth, [AFFINE, WIDTH]]
        if offset < 0:
            return np.ones(width, p.dtype), np.zeros(width, p.dtype)
        own = width if self.spec.affine == NODE else 1
        return np.resize(p[offset : offset + own], width), np.resize(p[offset + own : offset + 2 * own], width)

    def _merged(self, moments: Array) -> tuple[Array, Array]:
        """Merge the blocks' moments to those of all rows, in float64. [Chan, Golub and LeVeque 1979]"""
        counts = np.full((self.blocks, 1), blocks.ROWS, np.float64)
        counts[-1] = self.rows - blocks.ROWS * (self.blocks - 1)
        mean = (moments[:, 0] * counts).sum(axis=0) / self.rows
        squares = moments[:, 1].sum(axis=0, dtype=np.float64) + (counts * (moments[:, 0] - mean) ** 2).sum(axis=0)
        return mean, squares / self.rows
