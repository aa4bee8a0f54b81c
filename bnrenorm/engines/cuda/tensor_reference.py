"""What tensor cores compute of images whose pixels are bytes: methods of `reference.Reference`. See `pixels`."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.pixels import PARTS, TILE, Run, numbers
from bnrenorm.engines.cuda.rows import piece_length

Array = Any

_SLOTS = [d // 2 % 2 * 8 + d // 4 * 2 + d % 2 for d in range(TILE)]  # of the pixels of a tile: kernels/common.cuh


def split(self: Any, a: Array, parts: Array) -> None:
    """Set parts (R, K, PARTS, P) to the thirds of float32 numbers a (R, K, D), the smallest first; behind D to 0."""
    parts[...] = 0
    rest = a.astype(np.float32)
    for part in range(PARTS - 1, -1, -1):
        high = rest.view(np.uint32) >> 16
        parts[..., part, : a.shape[-1]] = high
        rest = rest - numbers(high)


def pixel_product(self: Any, x: Array, weights: Array, runs: list[Run], out: Array) -> None:
    """Set out (R, N, K) to the products of images x (S, N, PARTS, P) and weights (R, K, PARTS, P), bits of bfloat16."""
    kind = out.dtype
    for r, seed in _replicas(runs):
        rows, own = (numbers(bits).reshape(len(bits), -1).astype(kind) for bits in (x[seed], weights[r]))
        out[r] = rows @ own.T / 255


def pixel_gradient(self: Any, gradients: Array, x: Array, runs: list[Run], out: Array) -> None:
    """Set out (R, pieces, K, D) to the gradients of weights, a piece of the images each.

    gradients (R, N, PARTS, Q) and images x (S, N, PARTS, P) are bits of bfloat16.
    """
    _, pieces, width, inputs = out.shape
    length = piece_length(x.shape[1], pieces)
    for r, seed in _replicas(runs):
        rows = numbers(x[seed, :, 0, :inputs]).astype(out.dtype)
        g = numbers(gradients[r, ..., :width]).astype(out.dtype).sum(axis=1)
        for piece in range(pieces):
            span = slice(piece * length, (piece + 1) * length)
            out[r, piece] = g[span].T @ rows[span] / 255


def _replicas(runs: list[Run]) -> list[tuple[int, int]]:
    """Return all replicas with their seeds' places."""
    return [
        (r, seed + step * (r - replicas.start))
        for seed, step, replicas in runs
        for r in range(replicas.start, replicas.stop)
    ]


def gather_pixels(self: Any, images: Array, index: Array, x: Array) -> None:
    """Set x (S, N, PARTS, P) to the pixels (M, PARTS, P) of the images at index (S, N)."""
    x[...] = images[index]


def pack(self: Any, images: Array, index: Array, by_image: Array, by_pixel: Array) -> None:
    """Set by_image (S, D / TILE, padded, TILE) and by_pixel (S, D / TILE, TILE, padded) to 255 times images.

    Those of images (M, D), which are of bytes, at index (S, N). The results are bits of bfloat16, 0 behind N. by_pixel
    has its rows in another order.
    """
    x = np.rint(images[index] * 255).astype(np.float32)
    tiles = (x.view(np.uint32) >> 16).reshape(*index.shape, -1, TILE).swapaxes(1, 2)
    by_image[...], by_pixel[...] = 0, 0
    by_image[:, :, : index.shape[1]] = tiles
    by_pixel[:, :, _SLOTS, : index.shape[1]] = tiles.swapaxes(2, 3)


def sweep(
    self: Any,
    current: Array | None,
    following: Array | None,
    context: Context,
    gradient: Array,
    weight: Tensor,
    products: Array,
) -> None:
    """Update the first layer's weights (R, K, D) for one batch, and multiply the next one with them.

    current: by_pixel of `pack`, following: by_image, or None. gradient (R, N, K): that of the linear products of the
    first batch; products (R, N, K) becomes those of the second. They may be the same array.
    """
    n, seed_of = products.shape[1], context.seed_of
    kind = products.dtype
    if current is not None:
        pixels = numbers(current[:, :, _SLOTS, :n]).astype(kind)  # (S, tiles, TILE, N)
        x = pixels.reshape(len(pixels), -1, n)[seed_of].swapaxes(1, 2) / 255
        g = np.matmul(gradient.swapaxes(1, 2), x)
        self.update_weights(weight, g[:, None], context)
    if following is not None:
        pixels = numbers(following[:, :, :n]).astype(kind).swapaxes(1, 2)  # (S, N, tiles, TILE)
        x = pixels.reshape(len(pixels), n, -1)[seed_of] / 255
        np.matmul(x, weight.value.swapaxes(1, 2), out=products)
