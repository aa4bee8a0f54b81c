"""Images packed by fours, in an order of their own, against the images themselves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen.alignment import aligned, whole_lines
from bnrenorm.engines.cpu.sparse import packed
from tests.engines.cpu.entry import entries

pytestmark = pytest.mark.slow

inner = entries(packed)


def some(rng, count, density=0.2):
    images = rng.uniform(0.1, 1, (count, 30)).astype(np.float32)
    images[rng.random(images.shape) > density] = 0
    images[:, 11] = 0  # a pixel never lit
    images[count // 2] = 0  # an image all black
    return images


@pytest.mark.parametrize("count", [1, 2, 4, 7, 50, 301])
def test_every_image_is_there_once(rng, count):
    images = some(rng, count)
    order, fours = packed.pack(images)
    whole = np.zeros_like(images)
    for position, m in enumerate(order):
        here = slice(*fours.indptr[position // 4 : position // 4 + 2])
        whole[m, fours.indices[here]] = fours.data[here, position % 4]
    assert (whole == images).all()
    assert sorted(order) == list(range(count))


def test_an_order_is_kept_as_long_as_its_images(rng):
    images = some(rng, 50)
    order = packed.similar_order(images)
    assert packed.similar_order(images) is order
    assert (packed.similar_order(images.copy()) == order).all()
    number = id(images)
    assert number in packed._orders
    del images
    assert number not in packed._orders


def test_similar_images_are_neighbours_and_every_part_has_its_share_of_pixels(digits):
    images = digits.scaled("train")
    order = packed.similar_order(images)
    lit = images != 0
    pixels = [lit[way].reshape(500, 4, -1).any(axis=1).sum() for way in (order, np.arange(2000))]
    assert pixels[0] < 0.85 * pixels[1]
    halves = lit[order].reshape(2, -1).mean(axis=1)
    assert halves[0] == pytest.approx(halves[1], rel=0.05)


@pytest.mark.parametrize("density", [0.2, 1])
@pytest.mark.parametrize("width", [7, 80, 128, 300])  # within one panel of columns, and in several
@pytest.mark.parametrize("rows", [(0, 51), (8, 20), (48, 3)])
def test_the_first_layers_product(rng, density, width, rows):
    images, (lo, n) = some(rng, 51, density), rows
    w, b = aligned(30, whole_lines(width), np.float32), rng.normal(size=width).astype(np.float32)
    w[:, :width] = rng.normal(size=(30, width))
    y = np.full((n + 1, width), 7, np.float32)
    order, fours = packed.pack(images)
    inner.packed_linear(fours, lo, w, b, packed.panel_workspace(30, width, np.float32), y[:n])
    assert_allclose(y[:n], images[order[lo : lo + n]] @ w[:, :width] + b, rtol=1e-5, atol=1e-5)
    assert (y[n] == 7).all()
