"""kernels/pixels.cu and kernels/sweep.cu, and cuBLAS on tensor cores, against NumPy's formulas in float64."""

import numpy as np
import pytest

from bnrenorm._compat import gpu_count
from bnrenorm.engines import spec
from bnrenorm.engines.cuda import cublas
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.pixels import PARTS, TILE, numbers, padded, repeated
from bnrenorm.engines.cuda.reference import Reference
from tests.engines.cuda.kernels.cases import Inputs, compare, context_of, kernel_spec, on_device

pytestmark = pytest.mark.gpu

needs_tensor_cores = pytest.mark.skipif(
    bool(gpu_count()) and not Launches(np.float32).has_tensor_cores, reason="needs compute capability 8.0"
)


def bytes_of(make, *shape):
    """Return images of bytes, a third of them black, and most as far below their value as they may be."""
    values = make.random.integers(0, 256, shape) * (make.random.random(shape) > 1 / 3)
    return np.nextafter((values / 255).astype(np.float32), np.float32(0))


def thirds(array):
    parts = np.empty((*array.shape[:-1], PARTS, padded(array.shape[-1])), np.uint16)
    Reference().split(array, parts)
    return parts


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 7), (3, 33, 64), (1, 300, 785)])
def test_thirds_are_the_number(shape):
    """Bit by bit those of NumPy, whose sum is the number."""
    make = Inputs(np.float32)
    a = make.normal(*shape) * 10 ** make.uniform(-25, 25, *shape)
    parts = np.full((*shape[:-1], PARTS, padded(shape[-1])), 0x7FFF, np.uint16)
    compare(np.float32, "split", a, parts)
    sent = on_device(parts)
    Launches(np.float32).split(on_device(a), sent)
    got = numbers(sent.get()).astype(np.float64).sum(axis=-2)
    assert (got[..., : shape[-1]] == a).all()
    assert (got[..., shape[-1] :] == 0).all()


@pytest.mark.parametrize(("n", "width"), [(1, 3), (5, 65), (40, 784)])
def test_gather_of_pixels(n, width):
    make = Inputs(np.float32)
    x = repeated(np, bytes_of(make, 50, width))
    index = make.random.integers(0, 50, (2, n + 3)).astype(np.int32)[:, :n]
    compare(np.float32, "gather_pixels", x, index, np.full((2, n, *x.shape[1:]), 77, np.uint16))


@pytest.mark.parametrize(("n", "width"), [(1, 16), (5, 64), (20, 784), (100, 48)])
def test_tiles_have_the_pixels(n, width):
    make = Inputs(np.float32)
    images, index = bytes_of(make, 50, width), make.random.integers(0, 50, (2, n + 3)).astype(np.int32)[:, :n]
    rows = -(-n // TILE) * TILE
    by_image, by_pixel = (np.full((2, width // TILE, *tile), 77, np.uint16) for tile in ((rows, TILE), (TILE, rows)))
    compare(np.float32, "pack", images, index, by_image, by_pixel)


SHAPES = [(1, 5, 1, 3), (3, 20, 33, 64), (3, 100, 40, 100)]
"""Replicas, images, nodes and pixels."""


@needs_tensor_cores
@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("replicas", "n", "width", "inputs"), SHAPES)
def test_products_of_pixels(monkeypatch, replicas, n, width, inputs, shared, one_at_a_time):
    if one_at_a_time:
        monkeypatch.setattr(cublas, "_MANY", 0)
    make = Inputs(np.float32)
    seeds = 1 if shared else replicas
    runs = [(0, 0 if shared else 1, slice(0, replicas))]
    x = repeated(np, bytes_of(make, seeds * n, inputs)).reshape(seeds, n, PARTS, -1)
    compare(
        np.float32, "pixel_product", x, thirds(make.normal(replicas, width, inputs)), runs,
        make.poisoned(replicas, n, width),
    )  # fmt: skip


@needs_tensor_cores
@pytest.mark.parametrize(("n", "pieces"), [(5, 1), (60, 3), (100, 7), (101, 3)])
@pytest.mark.parametrize(("replicas", "width", "inputs"), [(1, 1, 3), (3, 33, 40)])
def test_gradients_by_pixels(n, pieces, replicas, width, inputs):
    make, runs = (
        Inputs(np.float32),
        [(0, 1, slice(0, min(replicas, 2))), (1, 0, slice(2, replicas))][: 1 + (replicas > 2)],
    )
    x = repeated(np, bytes_of(make, 2 * n, inputs)).reshape(2, n, PARTS, -1)
    g = thirds(make.normal(replicas, n, width, std=1e-6))
    compare(np.float32, "pixel_gradient", g, x, runs, make.poisoned(replicas, pieces, width, inputs))


@needs_tensor_cores
@pytest.mark.parametrize(
    ("n", "width", "inputs"), [(1, 1, 16), (20, 37, 64), (33, 130, 48), (100, 100, 112), (128, 300, 80)]
)
@pytest.mark.parametrize(("learns", "goes_on"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(
    ("optimizer", "average"),
    [(spec.SGD, False), (spec.MOMENTUM, True), (spec.ADAM, False), (spec.RMSPROP, False)],
)
def test_sweep(n, width, inputs, learns, goes_on, optimizer, average):
    make = Inputs(np.float32)
    images, index = bytes_of(make, 300, inputs), make.random.integers(0, 300, (2, 2, n)).astype(np.int32)
    rows = -(-n // TILE) * TILE
    by_image, by_pixel, other = (
        np.empty((2, inputs // TILE, *tile), np.uint16) for tile in ((rows, TILE), (TILE, rows), (TILE, rows))
    )
    Reference().pack(images, index[0], by_image, by_pixel)
    Reference().pack(images, index[1], by_image, other)
    context = context_of(kernel_spec(optimizer=optimizer), make.hyper(3), make.schedule(3), make.seed_of(3))
    gradient, weight = make.normal(3, n, width), make.tensor(optimizer, 3, width, inputs, average=average)
    products = make.poisoned(3, n, width) if goes_on else np.zeros((3, n, width), np.float32)
    current, following = by_pixel if learns else None, by_image if goes_on else None
    compare(np.float32, "sweep", current, following, context, gradient, weight, products)
