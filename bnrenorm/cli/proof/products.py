"""How exact are the products of a network's own size, by tensor cores and by float32?"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bnrenorm.cli.proof.rows import Row, below, digits
from bnrenorm.engines import device as devices

Array = Any

_IMAGES, _NODES = 2048, 400
"""Digits and nodes; the gradient of so many images is made of two sums."""

_LIMIT = 1e-5


def rows(device: str) -> Iterator[Row]:
    """Compare both kinds of products with float64's, in the norm."""
    from bnrenorm.engines.cuda.launches import Launches

    with devices.using(device):
        ops = Launches(np.float32)
        random = np.random.default_rng(0)
        images = ops.xp.asarray(digits(_IMAGES, 200).scaled("train"))
        signs = random.standard_normal((2, 1, _IMAGES, _NODES), np.float32)
        w = ops.xp.asarray(random.standard_normal((1, _NODES, images.shape[1]), np.float32) / 28)
        g = ops.xp.asarray(1e-5 * signs[0] * np.exp(2 * signs[1]))  # of very different sizes, as gradients are
        exact, w64, g64 = (array.astype(np.float64) for array in (images, w[0], g[0]))
        want = {"images and weights": exact @ w64.T, "gradients and images": g64.T @ exact}
        for kind, multiply in (("tensor cores", _by_tensor_cores), ("float32", _by_float32)):
            if kind == "tensor cores" and not ops.has_tensor_cores:
                yield Row(f"products by {kind}", "none: the card is older than compute capability 8.0")
                continue
            for (name, right), got in zip(want.items(), multiply(ops, images, w, g), strict=True):
                error = float(ops.xp.linalg.norm(got - right) / ops.xp.linalg.norm(right))
                yield below(f"product of {name} by {kind}", error, _LIMIT)


def _outputs(ops: Any, w: Array, g: Array) -> tuple[Array, Array]:
    """Return arrays for the products (1, N, K), and for the gradient of w in its pieces (1, pieces, K, D)."""
    from bnrenorm.engines.cuda.rows import pieces_of

    return ops.xp.empty_like(g), ops.xp.empty((1, pieces_of(g.shape[1]), *w.shape[1:]), w.dtype)


def _by_float32(ops: Any, images: Array, w: Array, g: Array) -> tuple[Array, Array]:
    products, gradient = _outputs(ops, w, g)
    ops.product(images, w, products, tb=True)
    ops.gradient(g, images, gradient)
    return products[0], gradient[0].sum(axis=0)


def _by_tensor_cores(ops: Any, images: Array, w: Array, g: Array) -> tuple[Array, Array]:
    from bnrenorm.engines.cuda import pixels
    from bnrenorm.engines.cuda.first_layer import thirds

    products, gradient = _outputs(ops, w, g)
    x, runs = pixels.repeated(ops.xp, images)[None], [(0, 0, slice(0, 1))]
    parts, g_parts = (thirds(ops.xp, *array.shape) for array in (w, g))
    ops.split(w, parts)
    ops.split(g, g_parts)
    ops.pixel_product(x, parts, runs, products)
    ops.pixel_gradient(g_parts, x, runs, gradient)
    return products[0], gradient[0].sum(axis=0)
