"""Scratch memory of one replica's training step."""

from typing import NamedTuple

import numpy as np

from bnrenorm.engines.cpu.codegen.arrays import matrix, vector
from bnrenorm.engines.cpu.codegen.decorators import subroutine, view
from bnrenorm.engines.cpu.ops.layout import WIDTH, ParameterLayout

MEAN, STD, R, D, RUN_MEAN, RUN_STD = range(6)
"""Rows of the statistics that a normalisation leaves for its backward pass and for the diagnosis."""


class Workspace(NamedTuple):
    """Scratch for batches of at most N images in M micro-batches: one array and the offsets of its parts.

    One array, because numba's compile time grows with the number of arrays that functions take. W is the widest layer,
    H the number of hidden layers, C of classes.
    """

    flat: np.ndarray
    total: np.ndarray  # (W,) float64: sums of the moments
    n: int  # N
    width: int  # W
    micro_batches: int  # M
    norm_in: int  # (H, N, W): inputs of the normalisations
    out: int  # (H, N, W): outputs of the hidden layers
    g: tuple[int, int]  # (N, W) each: gradients of a layer's output, and of its linear product
    logits: int  # (N, C)
    glogits: int  # (N, C)
    stats: int  # (H, M, 6, W): rows MEAN to RUN_STD
    row_stats: int  # (H, 2, N): mean and std of layer normalisation
    affine: int  # (H, 2, W): gamma and beta
    nodes: tuple[int, ...]  # six of (W,)
    gw: int  # (largest layer's weights,)


def allocate(layout: ParameterLayout, n: int, micro_batches: int, dtype: np.dtype) -> Workspace:
    """Make a workspace. Kernels allocate nothing: compiling that would take numba as long as a loop or two."""
    hidden, width, classes = len(layout.layers) - 1, layout.widest, int(layout.layers[-1, WIDTH])
    out = hidden * n * width
    g = 2 * out, 2 * out + n * width
    logits = g[1] + n * width
    glogits = logits + n * classes
    stats = glogits + n * classes
    row_stats = stats + hidden * micro_batches * 6 * width
    affine = row_stats + hidden * 2 * n
    *nodes, gw = (affine + (2 * hidden + k) * width for k in range(7))
    flat, total = np.empty(gw + layout.largest, dtype), np.empty(width, np.float64)
    return Workspace(
        flat, total, n, width, micro_batches, 0, out, g, logits, glogits, stats, row_stats, affine, tuple(nodes), gw
    )


@view
def activations(ws, offset, depth, n, width):
    """View a layer's part of ws.norm_in or ws.out as (n, width)."""
    return matrix(ws.flat, offset + depth * ws.n * ws.width, n, width)


@subroutine
def affine(ws, depth, width):
    """View a layer's gamma and beta, (width,) each."""
    offset = ws.affine + 2 * depth * ws.width
    return vector(ws.flat, offset, width), vector(ws.flat, offset + ws.width, width)


@subroutine
def row_statistics(ws, depth):
    """View a layer's mean and std of layer normalisation, (N,) each."""
    offset = ws.row_stats + 2 * depth * ws.n
    return vector(ws.flat, offset, ws.n), vector(ws.flat, offset + ws.n, ws.n)


@subroutine
def statistics(ws, depth, q, width):
    """View mean, std, r, d, and the running mean and std, (width,) each, of micro-batch q at a layer."""
    flat, pitch = ws.flat, ws.width
    offset = ws.stats + 6 * (depth * ws.micro_batches + q) * pitch
    return (
        vector(flat, offset + MEAN * pitch, width), vector(flat, offset + STD * pitch, width),
        vector(flat, offset + R * pitch, width), vector(flat, offset + D * pitch, width),
        vector(flat, offset + RUN_MEAN * pitch, width), vector(flat, offset + RUN_STD * pitch, width),
    )  # fmt: skip
