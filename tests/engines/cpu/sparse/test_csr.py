"""Images without their black pixels: by image, by pixel, and batch by batch, against the images themselves."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.sparse import csr, minibatch


@pytest.fixture
def images(rng):
    found = rng.uniform(0.1, 1, (50, 30)).astype(np.float32)
    found[rng.random(found.shape) < 0.8] = 0
    found[7] = 0  # an image all black
    found[:, 11] = 0  # a pixel never lit
    return found


def test_compress_leaves_out_zeros_alone(images):
    found = csr.compress(images)
    whole = np.zeros_like(images)
    for m in range(len(images)):
        here = slice(*found.start[m : m + 2])
        whole[m, found.column[here]] = found.value[here]
    assert (whole == images).all()
    assert (found.value != 0).all()
    assert csr.density(images) == len(found.value) / images.size


def test_batches_are_the_images_drawn(rng, images):
    labels = rng.integers(0, 10, 50).astype(np.int32)
    drawn = [rng.integers(0, 50, n) for n in (6, 6, 3)]  # the last of an epoch is smaller
    found = minibatch.gather(csr.compress(images), labels, drawn, 30)
    for s, batch in enumerate(drawn):
        by_image, by_pixel = np.zeros((2, len(batch), 30), np.float32)
        for i in range(len(batch)):
            here = slice(*found.image[s, i : i + 2])
            by_image[i, found.column[s, here]] = found.of_image[s, here]
        for j in range(30):
            here = slice(*found.pixel[s, j : j + 2])
            by_pixel[found.row[s, here], j] = found.of_pixel[s, here]
        assert (by_image == images[batch]).all()
        assert (by_pixel == images[batch]).all()
        assert (found.labels[s, : len(batch)] == labels[batch]).all()
        assert found.counts[s] == len(batch)
