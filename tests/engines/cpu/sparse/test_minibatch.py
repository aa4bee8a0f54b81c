"""Gathered minibatches: the labels and the images drawn (`test_fours` has the pixels)."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.sparse import minibatch


@pytest.mark.parametrize("steps", [3, 4])  # which there is memory for
def test_batches_are_the_images_drawn(rng, steps):
    images = rng.uniform(0.1, 1, (50, 30)).astype(np.float32)
    labels = rng.integers(0, 10, 50).astype(np.int32)
    drawn, counts = rng.integers(0, 50, (3, 6)), np.array([6, 6, 3])  # the last of an epoch is smaller
    batches = minibatch.gather(images, labels, drawn, counts, minibatch.allocate(steps, 6, 30, images.dtype))
    assert (batches.counts == counts).all()
    for s in range(3):
        batch = drawn[s, : counts[s]]
        assert (batches.labels[s, : len(batch)] == labels[batch]).all()
        begin = batches.images.indptr[2 * s]  # all pixels are lit
        assert (images[batch[[0, 1, 2, min(3, len(batch) - 1)]]] == batches.images.data[begin : begin + 30].T).all()
        group = batches.pixels.batches[s]
        begin = batches.pixels.indptr[group]
        assert (batches.pixels.data[begin : begin + len(batch)] == images[batch, :4]).all()
    assert batches.images.indptr[6] < len(batches.images.data)  # kernels do not look whether they write behind it
    assert batches.pixels.batches[3] <= len(batches.pixels.pixels)
    assert batches.pixels.indptr[batches.pixels.batches[3]] < len(batches.pixels.data)
