"""What every kernel computes, in NumPy: the specification of `launches`, and its double where there is no GPU.

The formulas follow `norm.formulas`, `norm.affine`, `network.losses` and Chainer's update rules. Arguments that several
methods share, all with R replicas on the first axis: `context` and `layer`, explained in `operands`; `rows` of N
images; y (R, N, K), a hidden layer's output; g (R, N, K), a gradient; bias (R, K); mask: a `rows.Mask` or None; stats
(R, groups, 6, K): mean, std, r, d, running mean and std.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from bnrenorm.engines.cuda import formulas, norm_reference, small_reference, tensor_reference
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Tensor, Vector
from bnrenorm.engines.cuda.rows import Mask, piece_length
from bnrenorm.network.schedule import D_MAX, LR, R_MAX
from bnrenorm.norm.diagnosis import diagnose

Array = Any


class Reference:
    """The kernels' formulas; arrays are NumPy's, of float32 or float64, and are written in place."""

    xp = np
    shared_memory = 2**30  # bytes of a block's; more than any kernel takes
    has_tensor_cores = True

    def math_mode(self, tf32: bool) -> AbstractContextManager[Any]:
        """Return a context in which products may round float32 operands to TF32, or may not; these never do."""
        return nullcontext()

    def synchronize(self) -> None:
        """Wait until all is computed that was asked for."""

    def recorded(self, step: Callable[[], None]) -> Callable[[], None]:
        """Take a step, and return what takes it again: on the same arrays, whatever they hold then.

        The step may only call methods of this class, with arrays that outlive it.
        """
        step()
        return step

    def copy(self, source: Array, target: Array) -> None:
        """Set a contiguous array to another of its shape and dtype."""
        target[...] = source

    def gather(self, images: Array, index: Array | None, x: Array, mask: Mask | None) -> None:
        """Set x (S, N, D) to the images (M, D) at index (S, N); with a mask x (R, N, D), dropped inputs being 0.

        Without an index, the images are those of the data set in its order.
        """
        if index is None:
            x[...] = images[: x.shape[1]]
        else:
            x[...] = images[index if mask is None else index[mask.seed_of]]
        if mask is not None:
            x *= formulas.keeps(mask)[:, None]

    def product(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        ta: bool = False,
        tb: bool = False,
        of: Array | None = None,
        subtract: bool = False,
    ) -> None:
        """Set out (R, m, n) to the products of a and b, each transposed on request, or subtract them from it.

        An operand of two axes is shared by all replicas. `of` (R,): which matrix of the operand that has seeds instead
        of replicas on its first axis each replica takes; it is a where ta and tb are False or tb alone is True, and b
        where ta is True.
        """
        if of is not None:
            a, b = (a, b[of]) if ta else (a[of], b)
        a, b = (x.swapaxes(-1, -2) if transpose else x for x, transpose in ((a, ta), (b, tb)))
        out[...] = out - np.matmul(a, b) if subtract else np.matmul(a, b)

    def gradient(self, g: Array, x: Array, out: Array) -> None:
        """Set out (R, pieces, K, D) to g^T x, a piece of the rows each: g (R, N, K), x (R, N, D) or (N, D)."""
        length = piece_length(g.shape[1], out.shape[1])
        for piece in range(out.shape[1]):
            span = slice(piece * length, (piece + 1) * length)
            out[:, piece] = np.matmul(g[:, span].swapaxes(1, 2), x[..., span, :])

    def loss(
        self,
        logits: Array,
        bias: Array,
        labels: Array,
        index: Array | None,
        seed_of: Array,
        learn: bool,
        right: Array | None,
        partial: Array,
    ) -> None:
        """Add the bias to the logits (R, N, C); set partial (R, pieces, 2) to sums of losses and right answers.

        labels (M,): the batch's are those at index (S, N), or the first N. With `learn`, the logits become the gradient
        of the mean loss. right (R, N) uint8: whether the largest logit is the label's.
        """
        logits += bias[:, None]
        replicas, n, classes = logits.shape
        wanted = labels[index[seed_of]] if index is not None else np.broadcast_to(labels[:n], (replicas, n))
        top = logits.max(axis=2, keepdims=True)
        exp = np.exp(logits - top)
        total = exp.sum(axis=2, keepdims=True)
        own = np.take_along_axis(logits, wanted[..., None].astype(int), axis=2)
        losses, answers = (np.log(total) - (own - top))[..., 0].astype(float), logits.argmax(axis=2) == wanted
        if right is not None:
            right[...] = answers
        if learn:
            logits[...] = (exp / total - np.eye(classes, dtype=logits.dtype)[wanted]) / n
        length = -(-n // partial.shape[1])
        for piece in range(partial.shape[1]):
            span = slice(piece * length, (piece + 1) * length)
            partial[:, piece] = np.stack([losses[:, span].sum(axis=1), answers[:, span].sum(axis=1)], axis=1)

    def add_losses(self, partial: Array, n: int, sums: Array) -> None:
        """Add to sums (R, 2) the mean loss and accuracy of n images."""
        sums += partial.sum(axis=1) / n

    def update_weights(self, tensor: Tensor, gradient: Array, context: Context) -> None:
        """Take the optimizer's step of weights (R, K, D), with L1 and L2 decay, and of their average.

        gradient (R, pieces, K, D): its sum over the pieces is the gradient.
        """
        hyper = context.hyper
        w, gradient = tensor.value, gradient.sum(axis=1)
        l2, l1 = formulas.column(hyper, "l2", w.ndim), formulas.column(hyper, "l1", w.ndim)
        formulas.descend(tensor, gradient + l2 * w + l1 * np.sign(w), LR, context)

    def update_vectors(self, vectors: list[Vector], context: Context) -> None:
        """Take the optimizer's step of biases, gammas and betas, and of their averages."""
        for vector in vectors:
            gradient = vector.gradient.sum(axis=1)
            if vector.tensor.value.shape[1] < gradient.shape[1]:
                gradient = gradient.sum(axis=1, keepdims=True) / vector.divisor
            formulas.descend(vector.tensor, gradient, vector.column, context)

    def diagnose(self, stats: Array, schedule: Array, values: Array) -> None:
        """Set values (R, 12) to those of `norm.diagnosis`, in their order; the arrays may be CuPy's as well."""
        mean, std, r, d, run_mean, run_std = (stats[:, :, i] for i in range(6))
        limits = (schedule[:, limit].reshape(-1, 1, 1) + 0 * mean for limit in (R_MAX, D_MAX))
        for i, value in enumerate(diagnose(mean, std, run_mean, run_std, r, d, *limits).values()):
            values[:, i] = value

    first, middle = small_reference.first, small_reference.middle
    enter, statistics, normalise = norm_reference.enter, norm_reference.statistics, norm_reference.normalise
    row_moments, row_gradients = norm_reference.row_moments, norm_reference.row_gradients
    upstream_sums, coefficients = norm_reference.upstream_sums, norm_reference.coefficients
    to_linear, column_sums = norm_reference.to_linear, norm_reference.column_sums
    split, gather_pixels = tensor_reference.split, tensor_reference.gather_pixels
    pixel_product, pixel_gradient = tensor_reference.pixel_product, tensor_reference.pixel_gradient
    pack, sweep = tensor_reference.pack, tensor_reference.sweep
