"""Launches of kernels/norm.cu and kernels/layer.cu: methods of `launches.Launches`."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda import packing
from bnrenorm.engines.cuda.operands import Context, Normalised
from bnrenorm.engines.cuda.packing import BLOCK, LANES, LINE, THREADS
from bnrenorm.engines.cuda.rows import Mode, Rows
from bnrenorm.engines.spec import NONE

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
    """Add the bias, apply the ReLU, take the moments of every piece."""
    arguments = z, bias, factor, rows.n, z.shape[2], rows.group, rows.pieces, relu, partial
    self.launch("enter", packing.columns(rows, z), BLOCK, *arguments)


def statistics(
    self: Any, partial: Array | None, rows: Rows, mode: Mode, context: Context, run: tuple[Array, Array], stats: Array
) -> None:
    """Merge the moments, correct them, move the running statistics."""
    replicas, width = run[0].shape
    self.launch(
        "statistics", (packing.ceil(width, THREADS), replicas), LINE,
        partial, width, rows.group, rows.groups, rows.pieces, mode, context.spec.track_std, context.hyper,
        context.schedule, *run, stats,
    )  # fmt: skip


def row_moments(self: Any, a: Array, hyper: Array, row_stats: Array) -> None:
    """Take mean and std of every row."""
    replicas, n, width = a.shape
    many = replicas * n
    self.launch("row_moments", (packing.ceil(many, LANES),), BLOCK, a, n, width, np.int64(many), hyper, row_stats)


def normalise(self: Any, layer: Normalised, fraction: Array | None, y: Array) -> None:
    """Normalise, apply a ReLU behind it, and dropout."""
    spec, rows, a, stats, row_stats, affine, mask = layer
    self.launch(
        "normalise", packing.columns(rows, a), BLOCK,
        a, stats, row_stats, *affine, spec.norm, spec.affine, spec.norm_first, rows.n, a.shape[2], rows.group,
        rows.pieces, *packing.mask(mask), fraction, y,
    )  # fmt: skip


def upstream_sums(self: Any, layer: Normalised, g: Array, y: Array, partial: Array) -> None:
    """Sum what the gradients of gamma, beta and the statistics need."""
    spec, rows, a, stats, row_stats, _, mask = layer
    self.launch(
        "upstream_sums", packing.columns(rows, a), BLOCK, g, y, a, stats, row_stats, spec.norm, spec.norm_first,
        rows.n, a.shape[2], rows.group, rows.pieces, *packing.mask(mask), partial,
    )  # fmt: skip


def coefficients(self: Any, layer: Normalised, partial: Array, coef: Array, gradients: tuple[Array, Array]) -> None:
    """Merge those sums."""
    spec, rows = layer.spec, layer.rows
    replicas, width = gradients[0].shape
    self.launch(
        "coefficients", (packing.ceil(width, THREADS), replicas), LINE,
        partial, layer.stats, layer.affine[0], spec.norm, spec.affine, width, rows.group, rows.groups, rows.pieces,
        coef, *gradients,
    )  # fmt: skip


def row_gradients(self: Any, layer: Normalised, g: Array, y: Array, row_sums: Array) -> None:
    """Take the means over rows that layer normalisation's gradient needs."""
    spec, _, a, _, row_stats, affine, mask = layer
    replicas, n, width = a.shape
    many = replicas * n
    self.launch(
        "row_gradients", (packing.ceil(many, LANES),), BLOCK,
        g, y, a, row_stats, affine[0], spec.affine, spec.norm_first, n, width, np.int64(many), *packing.mask(mask),
        row_sums,
    )  # fmt: skip


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
    """Take the gradient through dropout, ReLU and normalisation."""
    spec, rows, a, stats, row_stats, affine, mask = layer
    self.launch(
        "to_linear", packing.columns(rows, a), BLOCK, g, y, a, stats, coef, row_stats, row_sums, affine[0],
        spec.norm, spec.affine, spec.norm_first, not spec.norm_first, rows.n, a.shape[2], rows.group, rows.pieces,
        *packing.mask(mask), partial, rates, *packing.thirds(parts),
    )  # fmt: skip


def column_sums(self: Any, g: Array, rows: Rows, partial: Array) -> None:
    """Sum a gradient over the images of every piece."""
    nothing = (None,) * 5
    self.launch(
        "to_linear", packing.columns(rows, g), BLOCK,
        g, g, g, *nothing, NONE, 0, 0, 0, rows.n, g.shape[2], rows.group, rows.pieces, *packing.mask(None), partial,
        None, *packing.thirds(None),
    )  # fmt: skip
