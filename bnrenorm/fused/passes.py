"""Passes over many images: one replica after another, the rows of each spread over the cores.

One array (N, D) a hidden layer is all that is kept of the activations, and the replicas share it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bnrenorm.fused import blocks
from bnrenorm.fused.fold import Layer
from bnrenorm.fused.quads import Quads
from bnrenorm.fused.types import AFFINE, SHARED, WIDTH, Kind, Places

Array = Any


class Passes:
    """Room for N rows, and the way forward; `workers` threads."""

    learning = True  # whether the way back follows

    def __init__(self, images: Array, quads: Quads, labels: Array, kind: Kind, places: Places, workers: int):
        self.images, self.quads, self.labels = images, quads, np.ascontiguousarray(labels[quads.order])
        self.kind, self.places, self.workers = kind, places, workers
        self.rows = len(images)
        self.blocks = -(-self.rows // blocks.ROWS)
        widths = [int(width) for width in places.layers[:-1, WIDTH]]
        self.rooms = blocks.room_for(images.shape[1], max(widths), workers, images.dtype)
        self.h = [np.empty((self.rows, width), images.dtype) for width in widths]

    def each(self, pool: ThreadPoolExecutor, work: Callable[[int, Array, int, int], None]) -> None:
        """Call work(worker, its room, first block, last block) on every thread."""
        bounds = [self.blocks * i // self.workers for i in range(self.workers + 1)]
        for _ in pool.map(work, range(self.workers), self.rooms, bounds, bounds[1:]):
            pass

    def forward(
        self, pool: ThreadPoolExecutor, p: Array, normalise: Callable[[int, Array, Array], Layer]
    ) -> list[Layer]:
        """Fill h, layer by layer; normalise(depth, mean, var) says what becomes of each, whose moments these are."""
        layers: list[Layer] = []
        relu = not self.kind.norm_first
        for depth, h in enumerate(self.h):
            w, b = self.linear(p, depth)
            moments = np.empty((self.blocks, 3, h.shape[1]), p.dtype)
            kernel, given = blocks.first, (self.images, self.quads, w, b)
            if depth:
                below = layers[-1]
                kernel, given = blocks.hidden, (self.h[depth - 1], below.norm, below.relu, *below.fold(w, b))
            self.each(pool, partial(_without_worker, kernel, *given, relu, h, moments))
            layers.append(normalise(depth, *self._merged(moments)))
        return layers

    def out(
        self, pool: ThreadPoolExecutor, layers: list[Layer], p: Array, g: Array, logits: Array
    ) -> tuple[Array, Array, float, float]:
        """Go through the output layer and the loss: g (N, C) becomes its gradient, `logits` those of the first images.

        Returns the gradients of the folded weights and of the biases, the total loss and the count of right answers.
        """
        layer = layers[-1]
        w, b = layer.fold(*self.linear(p, len(layers)))
        gw = np.zeros((self.workers, len(w) if self.learning else 0, w.shape[1]), p.dtype)
        gb = np.zeros((self.workers, len(b)))
        sums = np.zeros((self.workers, 2))
        given = (self.h[-1], layer.norm, layer.relu, w, b, self.labels, self.quads.order, g)

        def work(i: int, room: Array, begin: int, end: int) -> None:
            blocks.output(*given, gw[i], gb[i], sums[i], logits, room, begin, end)

        self.each(pool, work)
        loss, right = sums.sum(axis=0)
        return gw.sum(axis=0), gb.sum(axis=0), float(loss), float(right)

    def linear(self, p: Array, depth: int) -> tuple[Array, Array]:
        """View a layer's weights, the first one's by pixel, and biases."""
        fan_in, width, w_at, b_at = self.places.layers[depth, :AFFINE]
        shape = (width, fan_in) if depth else (fan_in, self.places.pitch)
        return p[w_at : w_at + shape[0] * shape[1]].reshape(shape), p[b_at : b_at + width]

    def affine(self, p: Array, depth: int, width: int) -> tuple[Array, Array]:
        """Return a hidden layer's gamma and beta, (D,) each."""
        at = self.places.layers[depth, AFFINE]
        if at < 0:
            return np.ones(width, p.dtype), np.zeros(width, p.dtype)
        size = 1 if self.kind.affine == SHARED else width
        return np.broadcast_to(p[at : at + size], width), np.broadcast_to(p[at + size : at + 2 * size], width)

    def _merged(self, moments: Array) -> tuple[Array, Array]:
        """Merge the blocks' moments to those of all rows, in float64. [Chan, Golub and LeVeque 1979]"""
        counts = np.full((self.blocks, 1), blocks.ROWS, np.float64)
        counts[-1] = self.rows - blocks.ROWS * (self.blocks - 1)
        mean = (moments[:, 0] * counts).sum(axis=0) / self.rows
        squares = moments[:, 1].sum(axis=0, dtype=np.float64) + (counts * (moments[:, 0] - mean) ** 2).sum(axis=0)
        return mean, squares / self.rows


def _without_worker(kernel: Callable[..., None], *arguments: Any) -> None:
    """Call a kernel to which it is the same what thread it runs on: the worker's number is the last but three."""
    *given, _, room, begin, end = arguments
    kernel(*given, room, begin, end)
