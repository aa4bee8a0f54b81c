"""A step over a batch too large for a cache: one replica after another, the rows of each spread over the cores.

One array (N, D) a hidden layer is all that is kept of the activations, and the replicas share it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bnrenorm.fused import blocks, update
from bnrenorm.fused.compiled import kernel
from bnrenorm.fused.fold import Layer
from bnrenorm.fused.pixels import by_column, compress, nothing
from bnrenorm.fused.quads import Quads
from bnrenorm.fused.types import AFFINE, BATCH, FIXED, RUN, SHARED, WIDTH, Kind, Numbers, Places, W
from bnrenorm.norm import formulas

Array = Any


class LargeBatch:
    """Room for a batch of N rows, and the passes over it; `workers` threads."""

    def __init__(
        self, images: Array, quads: Quads, labels: Array, kind: Kind, places: Places, workers: int, logits: int
    ):
        self.images, self.quads, self.labels = images, quads, np.ascontiguousarray(labels[quads.order])
        self.kind, self.places, self.workers = kind, places, workers
        pixels = compress(images, quads.order) if len(quads.start) > 1 else nothing(images.dtype)
        self.columns = by_column(pixels, images.shape[1], blocks.ROWS)
        self.rows = len(images)
        self.blocks = -(-self.rows // blocks.ROWS)
        widths, real = places.layers[:, WIDTH], images.dtype
        self.h = [np.empty((self.rows, width), real) for width in widths[:-1]]
        self.g = [np.empty((self.rows, width), real) for width in widths[1:]]
        self.logits = np.empty((min(logits, self.rows), widths[-1]), real)

    def step(
        self,
        numbers: Numbers,
        limits: Array,
        p: Array,
        first: Array,
        second: Array,
        average: Array,
        run: Array,
        seen: Array,
    ) -> tuple[float, float]:
        """Take one step, in place: arguments as in `step.train`. Returns the mean loss and the accuracy before it."""
        with ThreadPoolExecutor(self.workers) as pool:
            layers = self._forward(pool, numbers, limits, p, run, seen)
            gradient = np.zeros_like(p)
            loss, right = self._backward(pool, layers, p, gradient)
        self._apply(numbers, limits, p, first, second, gradient)
        if len(average):
            average += (p.dtype.type(1) - numbers.average_decay) * (p - average)
        return loss / self.rows, right / self.rows

    def _apply(self, numbers: Numbers, limits: Array, p: Array, first: Array, second: Array, gradient: Array) -> None:
        """Update all parameters by their gradients."""
        none = numbers.weight_decay * 0
        ends = [*self.places.layers[1:, W], len(p)]
        for (*_, w, b, affine, _), end in zip(self.places.layers, ends, strict=True):
            stop = end if affine < 0 else affine
            parts = (w, b, numbers.weight_decay, limits[2]), (b, stop, none, limits[2]), (stop, end, none, limits[3])
            for at, to, decay, lr in parts:
                apply(self.kind, numbers, at, decay, lr, p, first, second, gradient[at:to])

    def _each(self, pool: ThreadPoolExecutor, work: Callable[[int, int, int], None]) -> None:
        """Call work(worker, first block, last block) on every thread."""
        bounds = [self.blocks * i // self.workers for i in range(self.workers + 1)]
        for _ in pool.map(work, range(self.workers), bounds, bounds[1:]):
            pass

    def _forward(
        self, pool: ThreadPoolExecutor, numbers: Numbers, limits: Array, p: Array, run: Array, seen: Array
    ) -> list[Layer]:
        layers: list[Layer] = []
        relu = not self.kind.norm_first
        for depth, h in enumerate(self.h):
            w, b = self._linear(p, depth)
            moments = np.empty((self.blocks, 2, h.shape[1]), p.dtype)
            kernel, given = blocks.first, (self.images, self.quads, w, b)
            if depth:
                below = layers[-1]
                kernel, given = blocks.hidden, (self.h[depth - 1], below.norm, below.relu, *below.fold(w, b))
            self._each(pool, partial(_without_worker, kernel, *given, relu, h, moments))
            layers.append(self._normalise(depth, numbers, limits, p, run, seen, *self._merged(moments)))
        return layers

    def _merged(self, moments: Array) -> tuple[Array, Array]:
        """Merge the blocks' moments to those of all rows, in float64. [Chan, Golub and LeVeque 1979]"""
        counts = np.full((self.blocks, 1), blocks.ROWS, np.float64)
        counts[-1] = self.rows - blocks.ROWS * (self.blocks - 1)
        mean = (moments[:, 0] * counts).sum(axis=0) / self.rows
        squares = moments[:, 1].sum(axis=0, dtype=np.float64) + (counts * (moments[:, 0] - mean) ** 2).sum(axis=0)
        return mean, squares / self.rows

    def _normalise(
        self, depth: int, numbers: Numbers, limits: Array, p: Array, run: Array, seen: Array, mean: Array, var: Array
    ) -> Layer:
        width, real = len(mean), p.dtype
        gamma, beta = self._affine(p, depth, width)
        if self.kind.norm != BATCH:
            zero, one = np.zeros(width, real), np.ones(width, real)
            return Layer(self.kind, zero, one, one, zero, one, zero)  # what leaves h as it is
        mean, var = mean.astype(real), var.astype(real)
        std = np.sqrt(var + numbers.eps)
        averages = run[self.places.layers[depth, RUN] :][: 2 * width].reshape(2, width)
        run_std = averages[1] if self.kind.keep_std else np.sqrt(averages[1] + numbers.eps)
        r, d = formulas.corrections(mean, std, averages[0], run_std, limits[0], limits[1])
        seen[depth, 0, :, :width] = mean, std, r, d, averages[0], run_std
        kept = std if self.kind.keep_std else var * real.type(self.rows / max(self.rows - 1.0, 1.0))
        for average, new in zip(averages, (mean, kept), strict=True):
            average[...] = formulas.moving_average(average, new, numbers.decay)
        return Layer(self.kind, mean, std, r, d, gamma, beta)

    def _backward(
        self, pool: ThreadPoolExecutor, layers: list[Layer], p: Array, gradient: Array
    ) -> tuple[float, float]:
        depth = len(layers)
        w, b = self._linear(p, depth)
        folded_w, folded_b = layers[-1].fold(w, b)
        gw = np.zeros((self.workers, *w.shape), p.dtype)
        gb = np.zeros((self.workers, len(b)))
        sums = np.zeros((self.workers, 2))

        def out(i: int, begin: int, end: int) -> None:
            layer = layers[-1]
            blocks.output(
                self.h[-1], layer.norm, layer.relu, folded_w, folded_b, self.labels, self.quads.order, self.g[-1],
                gw[i], gb[i], sums[i], self.logits, begin, end,
            )  # fmt: skip

        self._each(pool, out)
        raw, bias = gw.sum(axis=0), gb.sum(axis=0)
        while True:
            self._put(gradient, depth, layers[depth - 1].unfold(raw, bias) if depth else raw, bias)
            if depth == 0:
                return float(sums[:, 0].sum()), float(sums[:, 1].sum())
            depth -= 1
            raw, bias = self._back(pool, layers, depth, p, gradient, raw, bias)

    def _back(
        self,
        pool: ThreadPoolExecutor,
        layers: list[Layer],
        depth: int,
        p: Array,
        gradient: Array,
        raw: Array,
        bias: Array,
    ) -> tuple[Array, Array]:
        """Go back through a hidden layer, whose next layer has the gradients raw and bias; return its own."""
        layer, h = layers[depth], self.h[depth]
        w_next, _ = self._linear(p, depth + 1)
        along, total = np.zeros((2, h.shape[1]))  # sums of gy (h - mean) and of gy, which none has no use for
        if self.kind.norm == BATCH:
            if layer.relu:
                along, total = self._sums_back(pool, layer, depth, w_next)
            else:
                along, total = layer.std * (w_next * raw).sum(axis=0), bias @ w_next
            self._put_affine(gradient, depth, along * layer.r / layer.std + total * layer.d, total)
        factors = layer.factors(along, total, self.rows).astype(p.dtype)
        gw = np.zeros((self.workers, *self._linear(p, depth)[0].shape), p.dtype)
        gb = np.zeros((self.workers, h.shape[1]))
        above = (self.g[depth], w_next, h, layer.norm, layer.relu, factors)

        def work(i: int, begin: int, end: int) -> None:
            if depth:
                below = (self.h[depth - 1], layers[depth - 1].norm, self.g[depth - 1])
                blocks.back(*above, *below, gw[i], gb[i], begin, end)
            else:
                blocks.back_first(*above, self.images, self.columns, gw[i], gb[i], begin, end)

        self._each(pool, work)
        return gw.sum(axis=0), gb.sum(axis=0)

    def _sums_back(self, pool: ThreadPoolExecutor, layer: Layer, depth: int, w_next: Array) -> tuple[Array, Array]:
        """Sum gy (h - mean) and gy over all rows, where a ReLU lies between two products."""
        along, total = np.zeros((2, self.workers, layer.norm.shape[1]))

        def add(i: int, begin: int, end: int) -> None:
            g, h = self.g[depth], self.h[depth]
            blocks.sums_back(g, w_next, h, layer.norm, True, along[i], total[i], begin, end)

        self._each(pool, add)
        return along.sum(axis=0), total.sum(axis=0)

    def _linear(self, p: Array, depth: int) -> tuple[Array, Array]:
        fan_in, width, w_at, b_at = self.places.layers[depth, :AFFINE]
        shape = (width, fan_in) if depth else (fan_in, self.places.pitch)
        return p[w_at : w_at + shape[0] * shape[1]].reshape(shape), p[b_at : b_at + width]

    def _affine(self, p: Array, depth: int, width: int) -> tuple[Array, Array]:
        at = self.places.layers[depth, AFFINE]
        if at < 0:
            return np.ones(width, p.dtype), np.zeros(width, p.dtype)
        size = 1 if self.kind.affine == SHARED else width
        return np.broadcast_to(p[at : at + size], width), np.broadcast_to(p[at + size : at + 2 * size], width)

    def _put(self, gradient: Array, depth: int, gw: Array, gb: Array) -> None:
        w, b = self._linear(gradient, depth)
        w[...], b[...] = gw, gb

    def _put_affine(self, gradient: Array, depth: int, ggamma: Array, gbeta: Array) -> None:
        at, width = self.places.layers[depth, AFFINE], len(ggamma)
        if self.kind.affine == SHARED:
            gradient[at], gradient[at + 1] = ggamma.sum(), gbeta.sum()
        elif self.kind.affine != FIXED:
            gradient[at : at + width], gradient[at + width : at + 2 * width] = ggamma, gbeta


def _without_worker(kernel: Callable[..., None], *arguments: Any) -> None:
    """Call a kernel to which it is the same what thread it runs on: the worker's number is the last but two."""
    *given, _, begin, end = arguments
    kernel(*given, begin, end)


@kernel
def apply(kind, numbers, at, decay, lr, p, first, second, g):
    """Update the parameters from `at` by their gradient g."""
    update.part(kind.optimizer, p, at, g, first, second, lr, numbers.a, numbers.b, numbers.optimizer_eps, decay)
