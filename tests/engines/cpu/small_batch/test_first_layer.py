"""The first layer of small batches against dense NumPy, with black pixels, dropout and coasting weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen.alignment import aligned
from bnrenorm.engines.cpu.small_batch import first_layer
from bnrenorm.engines.cpu.sparse import minibatch
from bnrenorm.engines.spec import MOMENTUM, SGD, KernelSpec
from tests.engines.cpu.entry import entries

pytestmark = pytest.mark.slow

inner = entries(first_layer)
D, K, PITCH, STEPS = 30, 5, 16, 8
MORE = 2 * first_layer._IMAGES + 77  # images than stay in a cache while the weights pass by
NO_MASK = np.zeros(0, np.float32)


@pytest.fixture(params=[6, first_layer._IMAGES, MORE])
def n(request):
    """The images of a batch."""
    return request.param


@pytest.fixture
def images(rng):
    images = rng.uniform(0.1, 1, (50, D)).astype(np.float32)
    images[rng.random(images.shape) < 0.9] = 0  # so that most pixels are black in some batches
    images[:, 11] = 0
    return images


def batches_of(rng, images, n):
    labels = rng.integers(0, 10, 50).astype(np.int32)
    drawn = rng.integers(0, 50, (STEPS, n))
    memory = minibatch.allocate(STEPS, n, D, images.dtype)
    return drawn, minibatch.gather(images, labels, drawn, np.full(STEPS, n), memory)


def scratch_of(n, dropping):
    return first_layer.allocate(n, D, PITCH, dropping, np.dtype(np.float32))


def weights(rng):
    w = aligned(D, PITCH, np.float32, np.zeros)
    w[:, :K] = rng.normal(size=(D, K))
    return w


def masks_of(rng, dropping):
    return [(rng.random(D) < 0.6).astype(np.float32) if dropping else NO_MASK for _ in range(STEPS)]


def dropped(x, mask):
    return x * mask if len(mask) else x


@pytest.mark.parametrize(("n", "depth"), [(1, 784), (6, 30), (7, 3), (300, 30), (300, 784)])
def test_the_scratch_has_a_place_for_every_four_images_and_for_every_four_pixels(n, depth):
    scratch = first_layer.allocate(n, depth, PITCH, True, np.dtype(np.float32))
    images, pixels = -(-n // 4), -(-depth // 4)
    assert len(scratch.begins) >= max(images, pixels)
    assert len(scratch.data) >= max(images * depth, pixels * n)
    assert (len(scratch.steps_taken), scratch.gy.shape) == (depth, (n, PITCH))


@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("dense", [False, True])
def test_forward(rng, images, n, dense, dropping):
    images[images == 0] += dense
    drawn, batches = batches_of(rng, images, n)
    scratch = scratch_of(n, dropping)
    w, b, masks = weights(rng), rng.normal(size=K).astype(np.float32), masks_of(rng, dropping)
    for s in (0, STEPS - 1):
        y = np.empty((n, K), np.float32)
        inner.forward(batches, s, scratch, w, b, masks[s], y)
        assert_allclose(y, dropped(images[drawn[s]], masks[s]) @ w[:, :K] + b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dropping", [False, True])
def test_forward_by_blocks_of_pixels(rng, images, dropping):
    """Weights so wide that only the rows of 16 pixels stay in a core's cache: 30 pixels are two blocks."""
    drawn, batches = batches_of(rng, images, 6)
    w = aligned(D, first_layer._BLOCK // 16, np.float32, np.zeros)
    w[:, :K] = rng.normal(size=(D, K))
    b, masks, y = rng.normal(size=K).astype(np.float32), masks_of(rng, dropping), np.empty((6, K), np.float32)
    inner.forward(batches, 3, scratch_of(6, dropping), w, b, masks[3], y)
    assert_allclose(y, dropped(images[drawn[3]], masks[3]) @ w[:, :K] + b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("dense", [False, True])
def test_gradient(rng, images, n, dense, dropping):
    images[images == 0] += dense
    drawn, batches = batches_of(rng, images, n)
    scratch, masks = scratch_of(n, dropping), masks_of(rng, dropping)
    gy, gw = rng.normal(size=(n, K)).astype(np.float32), aligned(D, PITCH, np.float32)
    gw[...] = 7
    inner.gradient(batches, 3, gy, scratch, masks[3], gw)
    assert_allclose(gw[:, :K], dropped(images[drawn[3]], masks[3]).T @ gy, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("optimizer", [SGD, MOMENTUM])
def test_steps_that_skip_black_pixels_are_the_dense_steps(rng, images, n, optimizer, dropping):
    """Every step's weights as its forward pass sees them, and all weights in the end."""
    drawn, batches = batches_of(rng, images, n)
    scratch = scratch_of(n, dropping)
    spec = KernelSpec(0, 0, 0, 0, 0, optimizer, 0)
    w, velocity, masks = weights(rng), aligned(D, PITCH, np.float32, np.zeros), masks_of(rng, dropping)
    lr, momentum = np.float32(0.1), np.float32(0.9 if optimizer == MOMENTUM else 0)
    want, speed = w[:, :K].astype(float), np.zeros((D, K))
    for s in range(STEPS):
        x, gy = dropped(images[drawn[s]], masks[s]), rng.normal(size=(n, K)).astype(np.float32)
        gy[:, 0] = 0  # of a node whose ReLU is never open: its weights have no velocity, and the others' have
        if optimizer == MOMENTUM:
            inner.catch_up(batches, s, scratch, momentum, w, velocity, K, True)
        lit = x.any(axis=0)
        assert_allclose(w[lit, :K], want[lit], rtol=1e-4, atol=1e-5)
        assert not lit.all()
        inner.descend(batches, s, gy, lr, momentum, scratch, spec, w, velocity, masks[s])
        speed = momentum * speed - lr * (x.T @ gy)
        want += speed
    if optimizer == MOMENTUM:
        inner.catch_up(batches, STEPS, scratch, momentum, w, velocity, K, False)
        assert_allclose(velocity[:, :K], speed, rtol=1e-4, atol=1e-5)
    assert_allclose(w[:, :K], want, rtol=1e-4, atol=1e-5)
    assert not w[:, K:].any()
