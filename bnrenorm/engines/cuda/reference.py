"""What every kernel computes, in NumPy: the specification of `launches`, and its double where there is no GPU.

The formulas follow `norm.formulas`, `norm.affine`, `network.losses` and Chainer's update rules. Arguments that several
methods share, all with R replicas on the first axis: `rows` (`rows.Rows`) of N images; a (R, N, K), the input of a
layer's normalisation; y (R, N, K), the layer's output; g (R, N, K), a gradient; bias (R, K); affine: gamma and beta,
(R, K) or (R, 1), or None, as `spec.affine` says; hyper (R, 10), columns as in `engines.spec.Hyperparams`; schedule
(R, 4) of the step, as in `network.schedule`; mask: a `rows.Mask` or None; stats (R, groups, 6, K): mean, std, r, d,
running mean and std.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from bnrenorm.engines.cuda import formulas, small_reference, tensor_reference
from bnrenorm.engines.cuda.parameters import Tensor, Vector
from bnrenorm.engines.cuda.rows import Mask, Mode, Rows, piece_length
from bnrenorm.engines.spec import BATCH, LAYER, KernelSpec
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

    def enter(
        self,
        z: Array,
        bias: Array,
        rows: Rows,
        *,
        relu: bool,
        factor: Array | None = None,
        partial: Array | None = None,
    ) -> None:
        """Set z (R, N, K) to relu(factor z + bias), with factor (R,); without `relu` to its argument.

        Set partial (R, rows.total, 2, K), if it is there, to the mean of every piece and its sum of squared distances.
        """
        if factor is not None:
            z *= factor[:, None, None]
        z += bias[:, None]
        if relu:
            np.maximum(z, 0, out=z)
        if partial is not None:
            for q, (begin, end) in enumerate(rows.spans()):
                piece = z[:, begin:end]
                mean = piece.mean(axis=1, dtype=np.float64).astype(z.dtype)
                partial[:, q, 0], partial[:, q, 1] = mean, ((piece - mean[:, None]) ** 2).sum(axis=1)

    def statistics(
        self,
        partial: Array | None,
        rows: Rows,
        mode: Mode,
        spec: KernelSpec,
        hyper: Array,
        schedule: Array,
        run: tuple[Array, Array],
        stats: Array,
    ) -> None:
        """Set stats from the moments of `enter`; in training also move the running mean and scale, (R, K) each."""
        run_mean, run_scale = run
        eps = formulas.column(hyper, "eps", 2)
        run_std = run_scale if spec.track_std else np.sqrt(run_scale + eps)
        stats[:, :, 0], stats[:, :, 1], stats[:, :, 2], stats[:, :, 3] = run_mean[:, None], run_std[:, None], 1, 0
        stats[:, :, 4], stats[:, :, 5] = run_mean[:, None], run_std[:, None]
        if mode == Mode.RUNNING:
            return
        mean, var = formulas.merge(partial, rows)
        std = np.sqrt(var + eps[:, None])
        stats[:, :, 0], stats[:, :, 1] = mean, std
        if mode == Mode.OWN:
            return
        r_max, d_max = (schedule[:, limit].reshape(-1, 1, 1) for limit in (R_MAX, D_MAX))
        stats[:, :, 2] = (std / run_std[:, None]).clip(1 / r_max, r_max)
        stats[:, :, 3] = ((mean - run_mean[:, None]) / run_std[:, None]).clip(-d_max, d_max)
        if mode == Mode.TRAINING:
            tracked = std if spec.track_std else var * (rows.group / max(rows.group - 1.0, 1.0))
            weight = 1 - formulas.column(hyper, "decay", 2)
            run_mean += weight * (mean.mean(axis=1) - run_mean)
            run_scale += weight * (tracked.mean(axis=1) - run_scale)

    def row_moments(self, a: Array, hyper: Array, row_stats: Array) -> None:
        """Set row_stats (R, N, 2): mean and std of every row, for layer normalisation. [LN16]"""
        row_stats[..., 0] = a.mean(axis=2)
        row_stats[..., 1] = np.sqrt(a.var(axis=2) + formulas.column(hyper, "eps", 2))

    def normalise(
        self,
        a: Array,
        stats: Array,
        row_stats: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        rows: Rows,
        mask: Mask | None,
        fraction: Array | None,
        y: Array,
    ) -> None:
        """Set y to the normalised a, after the ReLU if it comes then, and after dropout.

        affine: gamma and beta. Dropout follows the mask in training, and multiplies by fraction (R,) in inference.
        """
        gamma, beta = formulas.affine(affine, a.dtype)
        y[...] = a
        if spec.norm == BATCH:
            mean, std, r, d = (formulas.per_image(stats, i, rows) for i in range(4))
            y[...] = gamma * ((a - mean) / std * r + d) + beta
        elif spec.norm == LAYER:
            y[...] = formulas.normalised_rows(a, row_stats) * gamma + beta
        if spec.norm_first:
            np.maximum(y, 0, out=y)
        if fraction is not None:
            y *= fraction[:, None, None]
        elif mask is not None:
            y *= formulas.keeps(mask)[:, None]

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

    def upstream_sums(
        self,
        g: Array,
        y: Array,
        a: Array,
        stats: Array,
        row_stats: Array,
        spec: KernelSpec,
        rows: Rows,
        mask: Mask | None,
        partial: Array,
    ) -> None:
        """Set partial (R, rows.total, 2, K) to the sums of g, and of g (a - mean), over every piece.

        g is the gradient of y; for layer normalisation it is multiplied by the normalised values instead.
        """
        g = formulas.upstream(g, y, spec, mask)
        is_layer = spec.norm == LAYER
        xmu = formulas.normalised_rows(a, row_stats) if is_layer else a - formulas.per_image(stats, 0, rows)
        for q, (begin, end) in enumerate(rows.spans()):
            partial[:, q, 0] = g[:, begin:end].sum(axis=1)
            partial[:, q, 1] = (g[:, begin:end] * xmu[:, begin:end]).sum(axis=1)

    def coefficients(
        self,
        partial: Array,
        stats: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        rows: Rows,
        coef: Array,
        gradients: tuple[Array, Array],
    ) -> None:
        """Set coef (R, groups, 3, K) for `to_linear`, and the gradients of gamma and beta per node, (R, K). [BRN17]"""
        ggamma, gbeta = gradients
        by_group = partial.reshape(len(partial), rows.groups, rows.pieces, 2, -1).sum(axis=2)
        total, total_xmu = by_group[:, :, 0], by_group[:, :, 1]
        gbeta[...] = total.sum(axis=1)
        if spec.norm == LAYER:
            ggamma[...] = total_xmu.sum(axis=1)
            return
        std, r, d = stats[:, :, 1], stats[:, :, 2], stats[:, :, 3]
        ggamma[...] = (total_xmu * (r / std) + total * d).sum(axis=1)
        gamma, _ = formulas.affine(affine, std.dtype)
        coef[:, :, 0], coef[:, :, 1] = gamma * r / std, -total_xmu / (rows.group * std * std)
        coef[:, :, 2] = total / rows.group

    def row_gradients(
        self,
        g: Array,
        y: Array,
        a: Array,
        row_stats: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        mask: Mask | None,
        row_sums: Array,
    ) -> None:
        """Set row_sums (R, N, 2): means over a row of g gamma, and of g gamma times the normalised values. [LN16]"""
        gamma, _ = formulas.affine(affine, a.dtype)
        g = formulas.upstream(g, y, spec, mask) * gamma
        row_sums[..., 0] = g.mean(axis=2)
        row_sums[..., 1] = (g * formulas.normalised_rows(a, row_stats)).mean(axis=2)

    def to_linear(
        self,
        g: Array,
        y: Array,
        a: Array,
        stats: Array,
        coef: Array,
        row_stats: Array,
        row_sums: Array,
        affine: tuple[Array | None, Array | None],
        spec: KernelSpec,
        rows: Rows,
        mask: Mask | None,
        partial: Array,
        rates: Array | None = None,
        parts: Array | None = None,
    ) -> None:
        """Turn g, the gradient of y, into that of the linear product; set partial (R, rows.total, K), its sums.

        rates: a schedule (R, 4), by whose learning rates g is multiplied then. parts (R, N, PARTS, Q): gets the thirds
        of it (see `pixels`), up to K, in place of g, which stays as it was.
        """
        gamma, _ = formulas.affine(affine, a.dtype)
        value = formulas.upstream(g, y, spec, mask)
        if spec.norm == BATCH:
            scale, slope, shift = (formulas.per_image(coef, i, rows) for i in range(3))
            value = ((a - formulas.per_image(stats, 0, rows)) * slope + value - shift) * scale
        elif spec.norm == LAYER:
            hat = formulas.normalised_rows(a, row_stats)
            value = (value * gamma - row_sums[..., :1] - hat * row_sums[..., 1:]) / row_stats[..., 1:]
        value = value if spec.norm_first else value * (a > 0)
        self.column_sums(value, rows, partial)
        if parts is not None:
            self.split(value, parts[..., : value.shape[2]])
        else:
            g[...] = value if rates is None else value * rates[:, LR].reshape(-1, 1, 1)

    def column_sums(self, g: Array, rows: Rows, partial: Array) -> None:
        """Set partial (R, rows.total, K) to the sums of g (R, N, K) over every piece."""
        for q, (begin, end) in enumerate(rows.spans()):
            partial[:, q] = g[:, begin:end].sum(axis=1)

    def update_weights(self, tensor: Tensor, gradient: Array, optimizer: int, hyper: Array, schedule: Array) -> None:
        """Take the optimizer's step of weights (R, K, D), with L1 and L2 decay, and of their average.

        gradient (R, pieces, K, D): its sum over the pieces is the gradient.
        """
        w, gradient = tensor.value, gradient.sum(axis=1)
        l2, l1 = formulas.column(hyper, "l2", w.ndim), formulas.column(hyper, "l1", w.ndim)
        formulas.descend(tensor, gradient + l2 * w + l1 * np.sign(w), LR, optimizer, hyper, schedule)

    def update_vectors(self, vectors: list[Vector], optimizer: int, hyper: Array, schedule: Array) -> None:
        """Take the optimizer's step of biases, gammas and betas, and of their averages."""
        for vector in vectors:
            gradient = vector.gradient.sum(axis=1)
            if vector.tensor.value.shape[1] < gradient.shape[1]:
                gradient = gradient.sum(axis=1, keepdims=True) / vector.divisor
            formulas.descend(vector.tensor, gradient, vector.column, optimizer, hyper, schedule)

    def diagnose(self, stats: Array, schedule: Array, values: Array) -> None:
        """Set values (R, 12) to those of `norm.diagnosis`, in their order."""
        mean, std, r, d, run_mean, run_std = (stats[:, :, i] for i in range(6))
        limits = (schedule[:, limit].reshape(-1, 1, 1) + 0 * mean for limit in (R_MAX, D_MAX))
        described = diagnose(mean, std, run_mean, run_std, r, d, *limits)
        values[...] = np.stack(list(described.values()), axis=1)

    first, middle = small_reference.first, small_reference.middle
    split, gather_pixels = tensor_reference.split, tensor_reference.gather_pixels
    pixel_product, pixel_gradient = tensor_reference.pixel_product, tensor_reference.pixel_gradient
    pack, sweep = tensor_reference.pack, tensor_reference.sweep
