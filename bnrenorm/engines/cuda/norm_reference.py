"""What kernels/norm.cu and kernels/layer.cu compute: methods of `reference.Reference`, which explains arguments."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda import formulas
from bnrenorm.engines.cuda.operands import Context, Normalised
from bnrenorm.engines.cuda.rows import Mode, Rows
from bnrenorm.engines.spec import BATCH, LAYER
from bnrenorm.network.schedule import D_MAX, LR, R_MAX

Array = Any


def enter(
    self: Any,
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
    self: Any, partial: Array | None, rows: Rows, mode: Mode, context: Context, run: tuple[Array, Array], stats: Array
) -> None:
    """Set stats from the moments of `enter`; in training also move the running mean and scale, (R, K) each."""
    run_mean, run_scale = run
    eps = formulas.column(context.hyper, "eps", 2)
    run_std = run_scale if context.spec.track_std else np.sqrt(run_scale + eps)
    stats[:, :, 0], stats[:, :, 1], stats[:, :, 2], stats[:, :, 3] = run_mean[:, None], run_std[:, None], 1, 0
    stats[:, :, 4], stats[:, :, 5] = run_mean[:, None], run_std[:, None]
    if mode == Mode.RUNNING:
        return
    mean, var = formulas.merge(partial, rows)
    std = np.sqrt(var + eps[:, None])
    stats[:, :, 0], stats[:, :, 1] = mean, std
    if mode == Mode.OWN:
        return
    r_max, d_max = (context.schedule[:, limit].reshape(-1, 1, 1) for limit in (R_MAX, D_MAX))
    stats[:, :, 2] = (std / run_std[:, None]).clip(1 / r_max, r_max)
    stats[:, :, 3] = ((mean - run_mean[:, None]) / run_std[:, None]).clip(-d_max, d_max)
    if mode == Mode.TRAINING:
        tracked = std if context.spec.track_std else var * (rows.group / max(rows.group - 1.0, 1.0))
        weight = 1 - formulas.column(context.hyper, "decay", 2)
        run_mean += weight * (mean.mean(axis=1) - run_mean)
        run_scale += weight * (tracked.mean(axis=1) - run_scale)


def row_moments(self: Any, a: Array, hyper: Array, row_stats: Array) -> None:
    """Set row_stats (R, N, 2): mean and std of every row, for layer normalisation. [LN16]"""
    row_stats[..., 0] = a.mean(axis=2)
    row_stats[..., 1] = np.sqrt(a.var(axis=2) + formulas.column(hyper, "eps", 2))


def normalise(self: Any, layer: Normalised, fraction: Array | None, y: Array) -> None:
    """Set y to the normalised values, after the ReLU if it comes then, and after dropout.

    Dropout follows the mask in training, and multiplies by fraction (R,) in inference.
    """
    spec, rows, a, stats, row_stats, affine, mask = layer
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


def upstream_sums(self: Any, layer: Normalised, g: Array, y: Array, partial: Array) -> None:
    """Set partial (R, rows.total, 2, K) to the sums of g, and of g (a - mean), over every piece.

    g is the gradient of y; for layer normalisation it is multiplied by the normalised values instead.
    """
    spec, rows, a, stats, row_stats, _, mask = layer
    g = formulas.upstream(g, y, spec, mask)
    is_layer = spec.norm == LAYER
    xmu = formulas.normalised_rows(a, row_stats) if is_layer else a - formulas.per_image(stats, 0, rows)
    for q, (begin, end) in enumerate(rows.spans()):
        partial[:, q, 0] = g[:, begin:end].sum(axis=1)
        partial[:, q, 1] = (g[:, begin:end] * xmu[:, begin:end]).sum(axis=1)


def coefficients(self: Any, layer: Normalised, partial: Array, coef: Array, gradients: tuple[Array, Array]) -> None:
    """Set coef (R, groups, 3, K) for `to_linear`, and the gradients of gamma and beta per node, (R, K). [BRN17]"""
    spec, rows, _, stats, _, affine, _ = layer
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


def row_gradients(self: Any, layer: Normalised, g: Array, y: Array, row_sums: Array) -> None:
    """Set row_sums (R, N, 2): means over a row of g gamma, and of g gamma times the normalised values. [LN16]"""
    spec, _, a, _, row_stats, affine, mask = layer
    gamma, _ = formulas.affine(affine, a.dtype)
    g = formulas.upstream(g, y, spec, mask) * gamma
    row_sums[..., 0] = g.mean(axis=2)
    row_sums[..., 1] = (g * formulas.normalised_rows(a, row_stats)).mean(axis=2)


def to_linear(
    self: Any,
    layer: Normalised,
    g: Array,
    y: Array,
    coef: Array,
    row_sums: Array,
    partial: Array,
    rates: Array | None = None,
    parts: Array | None = None,
) -> None:
    """Turn g, the gradient of y, into that of the linear product; set partial (R, rows.total, K), its sums.

    rates: a schedule (R, 4), by whose learning rates g is multiplied then. parts (R, N, PARTS, Q): gets the thirds
    of it (see `pixels`), up to K, in place of g, which stays as it was.
    """
    spec, rows, a, stats, row_stats, affine, mask = layer
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


def column_sums(self: Any, g: Array, rows: Rows, partial: Array) -> None:
    """Set partial (R, rows.total, K) to the sums of g (R, N, K) over every piece."""
    for q, (begin, end) in enumerate(rows.spans()):
        partial[:, q] = g[:, begin:end].sum(axis=1)
