"""A step over a batch too large for a cache: one replica at a time, its rows spread over the cores."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from bnrenorm.engines.cpu.codegen.decorators import kernel
from bnrenorm.engines.cpu.large_batch import blocks
from bnrenorm.engines.cpu.large_batch.folded_norm import FoldedNorm, identity
from bnrenorm.engines.cpu.large_batch.passes import Passes
from bnrenorm.engines.cpu.ops import norm, optimizer
from bnrenorm.engines.cpu.ops.layout import AFFINE, RUN, WIDTH, ParameterLayout, W
from bnrenorm.engines.cpu.parameters import ReplicaRows
from bnrenorm.engines.cpu.sparse.fours import PixelFours
from bnrenorm.engines.cpu.sparse.packed import PackedImages
from bnrenorm.engines.spec import BATCH, FIXED, SHARED, Hyperparams, KernelSpec
from bnrenorm.network.schedule import AFFINE_LR, D_MAX, LR, R_MAX
from bnrenorm.norm import formulas

Array = Any


class LargeBatch:
    """Steps over the batch that was taken last."""

    def __init__(self, most: int, dtype: Any, spec: KernelSpec, layout: ParameterLayout, workers: int):
        self.passes, self.spec, self.layout = Passes(most, dtype, spec, layout, workers), spec, layout
        self.memory = [np.empty((most, width), dtype) for width in layout.layers[1:, WIDTH]]

    def take(self, packed: PackedImages, labels: Array, pixels: PixelFours) -> None:
        """Take a batch: packed images, their labels in the images' order, and their pixels by blocks of ROWS."""
        self.passes.take(packed, labels)
        self.pixels, self.rows = pixels, self.passes.rows
        self.g = [memory[: self.rows] for memory in self.memory]

    def step(
        self, hyper: Hyperparams, schedule: Array, rows: ReplicaRows, statistics: Array, logits: Array
    ) -> tuple[float, float]:
        """Take one step in place; return the mean loss and the accuracy before it.

        schedule (4,): `network.schedule`; statistics (H, 1, 6, W): as in `last_step.LastStep`; logits (K, C) is set to
        those of the first images.
        """
        p, gradient = rows.p, np.zeros_like(rows.p)
        with ThreadPoolExecutor(self.passes.workers) as pool:
            norms = self.passes.forward(pool, p, partial(self._normalise, hyper, schedule, rows, statistics))
            loss, right = self._backward(pool, norms, p, gradient, logits)
        self._apply(hyper, schedule, rows, gradient)
        if len(rows.average):
            one = p.dtype.type(1)
            rows.average[...] = norm.moving_average.py_func(rows.average, p, one, one - hyper.average_decay)
        return loss / self.rows, right / self.rows

    def _normalise(
        self, hyper: Hyperparams, schedule: Array, rows: ReplicaRows, seen: Array, depth: int, mean: Array, var: Array
    ) -> FoldedNorm:
        """Make a layer's normalisation from the moments (D,) of its batch, and update the running statistics."""
        width, dtype, track_std = len(mean), rows.p.dtype, self.spec.track_std
        if self.spec.norm != BATCH:
            return identity(self.spec, width, dtype)
        mean, var = mean.astype(dtype), var.astype(dtype)
        std = np.sqrt(var + hyper.eps)
        run_mean, run_scale = rows.run[self.layout.layers[depth, RUN] :][: 2 * width].reshape(2, width)
        run_std = norm.running_std.py_func(run_scale, hyper.eps, track_std)
        r, d = formulas.corrections(mean, std, run_mean, run_std, schedule[R_MAX], schedule[D_MAX])
        seen[depth, 0, :, :width] = mean, std, r, d, run_mean, run_std
        scale = norm.tracked_scale.py_func(var, std, dtype.type(norm.bessel.py_func(self.rows)), track_std)
        one = dtype.type(1)
        for running, new in ((run_mean, mean), (run_scale, scale)):
            running[...] = norm.moving_average.py_func(running, new, one, one - hyper.decay)
        return FoldedNorm(self.spec, mean, std, r, d, *self.passes.affine(rows.p, depth))

    def _backward(
        self, pool: ThreadPoolExecutor, norms: list[FoldedNorm], p: Array, gradient: Array, logits: Array
    ) -> tuple[float, float]:
        """Set `gradient` (P,), layer by layer from the output; return total loss and count of right answers."""
        depth = len(norms)
        gw, gb, loss, right = self.passes.output(pool, norms, p, self.g[-1], logits, learning=True)
        while True:
            w, b = self.passes.linear(gradient, depth)
            w[...], b[...] = norms[depth - 1].unfold(gw, gb) if depth else gw, gb
            if depth == 0:
                return loss, right
            depth -= 1
            gw, gb = self._backward_hidden(pool, norms, depth, p, gradient, gw, gb)

    def _backward_hidden(
        self, pool: ThreadPoolExecutor, norms: list[FoldedNorm], depth: int, p: Array, gradient: Array, *of_next: Array
    ) -> tuple[Array, Array]:
        """Return the gradients of a hidden layer's weights and biases, given those of the next layer, folded."""
        layer, h, (gw_next, gb_next) = norms[depth], self.passes.h[depth], of_next
        w_next, _ = self.passes.linear(p, depth + 1)
        sum_dy_xmu, sum_dy = np.zeros((2, h.shape[1]))  # sums of gy (h - mean) and gy, unused without normalisation
        if self.spec.norm == BATCH:
            if layer.relu:
                sum_dy_xmu, sum_dy = self._sums(pool, layer, depth, w_next)
            else:
                sum_dy_xmu, sum_dy = layer.std * (w_next * gw_next).sum(axis=0), gb_next @ w_next
            self._put_affine(gradient, depth, sum_dy_xmu * layer.r / layer.std + sum_dy * layer.d, sum_dy)
        factors = layer.factors(sum_dy_xmu, sum_dy, self.rows).astype(p.dtype)
        gw = np.zeros((self.passes.workers, *self.passes.linear(p, depth)[0].shape), p.dtype)
        gb = np.zeros((self.passes.workers, h.shape[1]))
        above = (self.g[depth], w_next, h, layer.norm, layer.relu, factors)
        if depth:
            below = (self.passes.h[depth - 1], norms[depth - 1].norm, self.g[depth - 1])
            backward = partial(blocks.backward_hidden, *above, *below)
        else:
            backward = partial(blocks.backward_first, *above, self.pixels)
        self.passes.run(pool, backward, gw, gb)
        return gw.sum(axis=0), gb.sum(axis=0)

    def _sums(self, pool: ThreadPoolExecutor, layer: FoldedNorm, depth: int, w_next: Array) -> tuple[Array, Array]:
        """Sum gy (h - mean) and gy over all rows, where a ReLU lies between two products."""
        sum_dy_xmu, sum_dy = np.zeros((2, self.passes.workers, layer.norm.shape[1]))
        arguments = (self.g[depth], w_next, self.passes.h[depth], layer.norm, True)
        self.passes.run(pool, partial(blocks.backward_sums, *arguments), sum_dy_xmu, sum_dy)
        return sum_dy_xmu.sum(axis=0), sum_dy.sum(axis=0)

    def _put_affine(self, gradient: Array, depth: int, ggamma: Array, gbeta: Array) -> None:
        offset, width = self.layout.layers[depth, AFFINE], len(ggamma)
        if self.spec.affine == SHARED:
            divisor = width if self.spec.mean_gradient else 1
            gradient[offset], gradient[offset + 1] = ggamma.sum() / divisor, gbeta.sum() / divisor
        elif self.spec.affine != FIXED:
            gradient[offset : offset + width], gradient[offset + width : offset + 2 * width] = ggamma, gbeta

    def _apply(self, hyper: Hyperparams, schedule: Array, rows: ReplicaRows, gradient: Array) -> None:
        """Update all parameters by their gradients (P,)."""
        zero = rows.p.dtype.type(0)
        ends = [*self.layout.layers[1:, W], len(rows.p)]
        for (*_, w, b, affine, _), end in zip(self.layout.layers, ends, strict=True):
            stop = end if affine < 0 else affine
            weights, biases = (w, b, hyper.l2, hyper.l1, schedule[LR]), (b, stop, zero, zero, schedule[LR])
            for begin, to, l2, l1, lr in (weights, biases, (stop, end, zero, zero, schedule[AFFINE_LR])):
                update(
                    self.spec.optimizer, hyper, rows.p, begin, gradient[begin:to], rows.exp_avg, rows.exp_avg_sq,
                    lr, l2, l1,
                )  # fmt: skip


@kernel
def update(optimizer_code, hyper, p, offset, g, exp_avg, exp_avg_sq, lr, l2, l1):
    """Update the parameters from `offset` on by their gradient: arguments as in `ops.optimizer.apply_update`."""
    optimizer.apply_update(optimizer_code, hyper, p, offset, g, exp_avg, exp_avg_sq, lr, l2, l1)
