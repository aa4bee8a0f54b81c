"""Launches of kernels/pixels.cu and kernels/sweep.cu, and cuBLAS on tensor cores: methods of `launches.Launches`."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda import packing
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.packing import FILLING, LINE, THREADS
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.pixels import TILE, Run

Array = Any

STAGES = 4
"""Tiles of the first layer that a block of `sweep` has in shared memory, as in kernels/sweep.cu."""

_WORD = 16  # bytes that a thread copies

MOST_ROWS = 128
"""Rows of the first layer that a block of `sweep` takes: 16 for each of its warps."""


def split(self: Any, a: Array, parts: Array) -> None:
    """Split float32 numbers in three bfloat16 numbers."""
    *_, width, _, padded = (*a.shape, *parts.shape[-2:])
    rows = a.size // width
    blocks = min(packing.ceil(rows * padded, THREADS), FILLING)
    self.launch("split", (blocks,), LINE, a, np.int64(rows), width, padded, parts)


def pixel_product(self: Any, x: Array, weights: Array, runs: list[Run], out: Array) -> None:
    """Multiply images by weights."""
    self.products.pixel_product(x, weights, runs, out)


def pixel_gradient(self: Any, gradients: Array, x: Array, runs: list[Run], out: Array) -> None:
    """Multiply gradients by images."""
    self.products.pixel_gradient(gradients, x, runs, out)


def gather_pixels(self: Any, images: Array, index: Array, x: Array) -> None:
    """Fetch the pixels of a batch."""
    seeds, n, parts, padded = x.shape
    words = parts * padded * x.itemsize // _WORD
    self.launch("gather_pixels", (n, seeds), LINE, images, words, *packing.index(index), n, x)


def pack(self: Any, images: Array, index: Array, by_image: Array, by_pixel: Array) -> None:
    """Put the pixels of the next batch in tiles."""
    seeds, tiles, padded, _ = by_image.shape
    self.launch(
        "pack", (tiles, seeds), LINE,
        images, images.shape[1], *packing.index(index), index.shape[1], padded, by_image, by_pixel,
    )  # fmt: skip


def sweep(
    self: Any,
    current: Array | None,
    following: Array | None,
    context: Context,
    gradient: Array,
    weight: Tensor,
    products: Array,
) -> None:
    """Update the first layer's weights and multiply the next batch, in one pass."""
    replicas, width, inputs = weight.value.shape
    n, rows = products.shape[1], sweep_rows(width)
    self.launch(
        "sweep", (packing.ceil(width, rows), replicas), LINE,
        current, following, context.seed_of, context.hyper, context.schedule, gradient, width, inputs, rows, *weight,
        products, file="sweep.cu", shared=sweep_shared(n, rows), N=n, OPTIMIZER=context.spec.optimizer,
    )  # fmt: skip


def sweep_rows(width: int) -> int:
    """Return the rows of the first layer that a block takes: as many as the others, up to a warp's."""
    blocks = packing.ceil(width, MOST_ROWS)
    return packing.ceil(packing.ceil(width, blocks), TILE) * TILE


def sweep_shared(n: int, rows: int) -> int:
    """Return the bytes of shared memory that a block of `sweep` takes."""
    depth = packing.ceil(n, TILE)
    return STAGES * (64 * rows + 32 * TILE * depth + 64 * 8 * (depth | 1))
