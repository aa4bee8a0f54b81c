"""A step over a batch too large for a cache: one replica after another, the rows of each spread over the cores."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bnrenorm.fused import blocks, update
from bnrenorm.fused.columns import by_column
from bnrenorm.fused.compiled import kernel
from bnrenorm.fused.fold import Layer, unchanged
from bnrenorm.fused.passes import Passes
from bnrenorm.fused.quads import Quads
from bnrenorm.fused.types import AFFINE, BATCH, FIXED, RUN, SHARED, WIDTH, Kind, Numbers, Places, W
from bnrenorm.norm import formulas

Array = Any


class LargeBatch(Passes):
    """Steps over a batch of N rows; the logits of the last one's first images are in `logits`."""

    def __init__(
        self, images: Array, quads: Quads, labels: Array, kind: Kind, places: Places, workers: int, logits: int
    ):
        super().__init__(images, quads, labels, kind, places, workers)
        self.columns = by_column(quads, images.shape[1], blocks.ROWS)
        widths, real = places.layers[:, WIDTH], images.dtype
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
            layers = self.forward(pool, p, partial(self._normalise, numbers, limits, p, run, seen))
            gradient = np.zeros_like(p)
            loss, right = self._backward(pool, layers, p, gradient)
        self._apply(numbers, limits, p, first, second, gradient)
        if len(average):
            average += (p.dtype.type(1) - numbers.average_decay) * (p - average)
        return loss / self.rows, right / self.rows

    def _apply(self, numbers: Numbers, limits: Array, p: Array, first: Array, second: Array, gradient: Array) -> None:
        """Update all parameters by their gradients."""
        none, decays = np.zeros(2, p.dtype), np.array([numbers.l2, numbers.l1])
        ends = [*self.places.layers[1:, W], len(p)]
        for (*_, w, b, affine, _), end in zip(self.places.layers, ends, strict=True):
            stop = end if affine < 0 else affine
            parts = (w, b, decays, limits[2]), (b, stop, none, limits[2]), (stop, end, none, limits[3])
            for at, to, (l2, l1), lr in parts:
                apply(self.kind, numbers, at, l2, l1, lr, p, first, second, gradient[at:to])

    def _normalise(
        self, numbers: Numbers, limits: Array, p: Array, run: Array, seen: Array, depth: int, mean: Array, var: Array
    ) -> Layer:
        width, real = len(mean), p.dtype
        if self.kind.norm != BATCH:
            return unchanged(self.kind, width, real)
        gamma, beta = self.affine(p, depth, width)
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
        raw, bias, loss, right = self.out(pool, layers, p, self.g[-1], self.logits)
        while True:
            self._put(gradient, depth, layers[depth - 1].unfold(raw, bias) if depth else raw, bias)
            if depth == 0:
                return loss, right
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
        w_next, _ = self.linear(p, depth + 1)
        along, total = np.zeros((2, h.shape[1]))  # sums of gy (h - mean) and of gy, which none has no use for
        if self.kind.norm == BATCH:
            if layer.relu:
                along, total = self._sums_back(pool, layer, depth, w_next)
            else:
                along, total = layer.std * (w_next * raw).sum(axis=0), bias @ w_next
            self._put_affine(gradient, depth, along * layer.r / layer.std + total * layer.d, total)
        factors = layer.factors(along, total, self.rows).astype(p.dtype)
        gw = np.zeros((self.workers, *self.linear(p, depth)[0].shape), p.dtype)
        gb = np.zeros((self.workers, h.shape[1]))
        above = (self.g[depth], w_next, h, layer.norm, layer.relu, factors)

        def work(i: int, room: Array, begin: int, end: int) -> None:
            if depth:
                below = (self.h[depth - 1], layers[depth - 1].norm, self.g[depth - 1])
                blocks.back(*above, *below, gw[i], gb[i], room, begin, end)
            else:
                blocks.back_first(*above, self.images, self.columns, gw[i], gb[i], room, begin, end)

        self.each(pool, work)
        return gw.sum(axis=0), gb.sum(axis=0)

    def _sums_back(self, pool: ThreadPoolExecutor, layer: Layer, depth: int, w_next: Array) -> tuple[Array, Array]:
        """Sum gy (h - mean) and gy over all rows, where a ReLU lies between two products."""
        along, total = np.zeros((2, self.workers, layer.norm.shape[1]))

        def add(i: int, room: Array, begin: int, end: int) -> None:
            g, h = self.g[depth], self.h[depth]
            blocks.sums_back(g, w_next, h, layer.norm, True, along[i], total[i], room, begin, end)

        self.each(pool, add)
        return along.sum(axis=0), total.sum(axis=0)

    def _put(self, gradient: Array, depth: int, gw: Array, gb: Array) -> None:
        w, b = self.linear(gradient, depth)
        w[...], b[...] = gw, gb

    def _put_affine(self, gradient: Array, depth: int, ggamma: Array, gbeta: Array) -> None:
        at, width = self.places.layers[depth, AFFINE], len(ggamma)
        if self.kind.affine == SHARED:
            share = width if self.kind.mean_gradient else 1
            gradient[at], gradient[at + 1] = ggamma.sum() / share, gbeta.sum() / share
        elif self.kind.affine != FIXED:
            gradient[at : at + width], gradient[at + width : at + 2 * width] = ggamma, gbeta


@kernel
def apply(kind, numbers, at, l2, l1, lr, p, first, second, g):
    """Update the parameters from `at` by their gradient g."""
    update.part(kind.optimizer, p, at, g, first, second, lr, numbers.a, numbers.b, numbers.optimizer_eps, l2, l1)
