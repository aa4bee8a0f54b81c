"""Images four at a time, in an order of their own, against the images themselves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.fused.entry import entries

from bnrenorm.engines.cpu.small_batch import workspace
from bnrenorm.engines.cpu.sparse import packed

inner = entries(packed)


def some(rng, count, lit=0.2):
    found = rng.uniform(0.1, 1, (count, 30)).astype(np.float32)
    found[rng.random(found.shape) > lit] = 0
    found[:, 11] = 0  # a pixel never lit
    found[count // 2] = 0  # an image all black
    return found


@pytest.mark.parametrize("count", [1, 2, 4, 7, 50, 301])
def test_every_image_is_there_once(rng, count):
    images = some(rng, count)
    found = packed.pack(images)
    whole = np.zeros_like(images)
    for place, m in enumerate(found.order):
        here = slice(*found.start[place // 4 : place // 4 + 2])
        whole[m, found.column[here]] = found.value[here, place % 4]
    assert (whole == images).all()
    assert sorted(found.order) == list(range(count))
    assert (found.value != 0).any(axis=1).all()  # no pixel that none of the four has
    absent = -count % 4
    assert not found.value[found.start[-2] :, 4 - absent :].any() or absent == 0


def test_alike_images_stand_together_and_every_part_has_its_share_of_pixels(digits):
    images = digits.scaled("train")
    order = packed.alike(images)
    lit = images != 0
    pixels = [lit[each].reshape(500, 4, -1).any(axis=1).sum() for each in (order, np.arange(2000))]
    assert pixels[0] < 0.85 * pixels[1]
    halves = lit[order].reshape(2, -1).mean(axis=1)
    assert halves[0] == pytest.approx(halves[1], rel=0.05)


@pytest.mark.parametrize("lit", [0.2, 0.9])  # without zeros, and as they are
@pytest.mark.parametrize("width", [7, 80, 112, 300])  # within one panel of columns, and in several
@pytest.mark.parametrize("rows", [(0, 51), (8, 20), (48, 3)])
def test_the_first_layers_product(rng, lit, width, rows):
    images, (lo, n) = some(rng, 51, lit), rows
    w, b = workspace.table(30, -(-width // 16) * 16, np.float32), rng.normal(size=width).astype(np.float32)
    w[:, :width] = rng.normal(size=(30, width))
    y = np.full((n + 1, width), 7, np.float32)
    found = packed.pack(images)
    inner.packed_linear(images, found, lo, w, b, packed.panel_workspace(30, width, np.float32), y[:n])
    assert_allclose(y[:n], images[found.order[lo : lo + n]] @ w[:, :width] + b, rtol=1e-5, atol=1e-5)
    assert (y[n] == 7).all()
