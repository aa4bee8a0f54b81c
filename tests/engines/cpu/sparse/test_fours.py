"""Images and pixels by fours, against the images themselves."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.sparse import fours

DEPTH = 30


def some_images(rng, density, dtype=np.float32):
    images = rng.uniform(0.1, 1, (50, DEPTH)).astype(dtype)
    images[rng.random(images.shape) > density] = 0
    images[7] = 0  # an image all black
    images[:, 11] = 0  # a pixel never lit
    return images


def some_batches(rng, largest):
    """Return chosen and counts of five batches, the last one smaller; image 7 is in the second."""
    counts = np.array([largest] * 4 + [max(1, largest // 2)])
    chosen = rng.integers(0, 50, (5, largest))
    chosen[1, 0] = 7
    return chosen, counts


def allocated(chosen, images):
    size = (*chosen.shape, DEPTH, images.dtype)
    return fours.images_of(*size), fours.pixels_of(*size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("density", [0, 0.2, 1])
@pytest.mark.parametrize("largest", [1, 4, 6, 13])
def test_every_batch_is_its_images_both_ways(rng, largest, density, dtype):
    images = some_images(rng, density, dtype)
    chosen, counts = some_batches(rng, largest)
    by_image, by_pixel = allocated(chosen, images)
    fours.gather(images, chosen, counts, by_image, by_pixel)
    groups = -(-largest // 4)
    for s, n in enumerate(counts):
        want, batch, transposed = images[chosen[s, :n]], np.zeros((n, DEPTH), dtype), np.zeros((n, DEPTH), dtype)
        for q in range(groups):
            here = slice(*by_image.indptr[s * groups + q : s * groups + q + 2])
            pixels, values = by_image.indices[here], by_image.data[here]
            assert (np.diff(pixels) > 0).all()  # the sums' order, and so their bits
            assert (values != 0).any(axis=1).all()  # no pixel that none of the four has
            for g in range(4):
                i = min(4 * q + g, n - 1)
                if 4 * q < n:
                    batch[i, pixels] = values[:, g]
        assert (batch == want).all()
        lit = []
        for q in range(by_pixel.batches[s], by_pixel.batches[s + 1]):
            here = slice(*by_pixel.indptr[q : q + 2])
            rows, values = by_pixel.indices[here], by_pixel.data[here]
            assert (np.diff(rows) > 0).all()
            assert (values != 0).any(axis=1).all()
            for g, j in enumerate(by_pixel.pixels[q]):
                transposed[rows, j] = values[:, g]
                lit.append(j)
        assert (transposed == want).all()
        assert sorted(set(lit)) == list(np.flatnonzero(want.any(axis=0)))
        assert len(lit) - len(set(lit)) < 4  # the last pixel again


def test_one_way_leaves_the_other_alone(rng):
    images = some_images(rng, 0.2)
    chosen, counts = some_batches(rng, 6)
    both, alone = allocated(chosen, images), allocated(chosen, images)
    fours.gather(images, chosen, counts, *both)
    fours.gather(images, chosen, counts, alone[0], None)
    fours.gather(images, chosen, counts, None, alone[1])
    assert (alone[0].indptr == both[0].indptr).all()
    assert (alone[1].batches == both[1].batches).all()
    assert (alone[1].indptr == both[1].indptr).all()


def test_memory_for_more_batches_serves_fewer(rng):
    images = some_images(rng, 0.2)
    chosen, counts = some_batches(rng, 6)
    used, fresh = allocated(chosen, images), allocated(chosen[:2], images)
    fours.gather(images, chosen, counts, *used)
    fours.gather(images, chosen[3:], counts[3:], *used)
    fours.gather(images, chosen[3:], counts[3:], *fresh)
    assert (used[0].indptr[:5] == fresh[0].indptr).all()
    assert (used[1].batches[:3] == fresh[1].batches).all()
    end = fresh[1].indptr[fresh[1].batches[2]]
    assert (used[1].data[:end] == fresh[1].data[:end]).all()
