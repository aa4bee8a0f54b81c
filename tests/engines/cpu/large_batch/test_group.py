"""Batches of large minibatches and of all images: whatever is gathered, and when, it is the images that were drawn."""

import numpy as np
import pytest

from bnrenorm.engines.cpu import required
from bnrenorm.engines.cpu.large_batch.blocks import ROWS
from bnrenorm.engines.cpu.large_batch.group import LargeBatches
from bnrenorm.training.loop import Training
from tests.engines.groups import group
from tests.helpers import some_digits

pytestmark = pytest.mark.slow


@pytest.fixture
def batches_of(monkeypatch):
    """A function that returns the batches of two seeds, and the sampler that draws them."""
    monkeypatch.setattr(required, "LEAST", 200)

    def batches_of(batch):
        trials = group("norm: {kind: batch}", batch, seeds=2)
        engine = Training(trials, some_digits(500, 100), engine="cpu").engine
        assert isinstance(engine.batches, LargeBatches)
        return engine.batches, engine.inputs.sampler

    return batches_of


def whole(batch, pixels):
    """Return the images (N, D) and labels of a batch, in the order in which they were drawn, by image and by pixel."""
    packed, labels, by_pixel = batch
    by_image, by_block = np.zeros((2, len(labels), pixels), np.float32)
    for position, m in enumerate(packed.order):
        here = slice(*packed.fours.indptr[position // 4 : position // 4 + 2])
        by_image[m, packed.fours.indices[here]] = packed.fours.data[here, position % 4]
    for b in range(-(-len(labels) // ROWS)):
        block = packed.order[b * ROWS : (b + 1) * ROWS]
        for q in range(by_pixel.batches[b], by_pixel.batches[b + 1]):
            here = slice(*by_pixel.indptr[q : q + 2])
            for g, j in enumerate(by_pixel.pixels[q]):
                by_block[block[by_pixel.indices[here]], j] = by_pixel.data[here, g]
    return by_image, by_block, labels


@pytest.mark.parametrize(
    "batch", ["{kind: iid, size: 230, remainder: keep}", "{kind: non_iid, classes: 9, size: 270}", "full"]
)
def test_every_image_that_is_drawn_is_there_once_by_image_and_by_pixel(batches_of, batch):
    batches, sampler = batches_of(batch)
    for seed in (0, 1):
        drawn, counts = sampler.table([seed], 3, 6)  # sizes 230, 230, 40, 230, 230, 40
        seen = 0
        for s, taken in enumerate(batches._batches(sampler, seed, 3, 6)):
            chosen = drawn[s, 0, : counts[s]]
            by_image, by_block, labels = whole(taken, batches.images.shape[1])
            assert (by_image == batches.images[chosen]).all()
            assert (by_block == batches.images[chosen]).all()
            assert (labels == batches.labels[chosen]).all()
            seen += 1
        assert seen == 6


def test_all_images_are_gathered_once_and_packed_for_their_evaluation_too():
    engine = Training(group("norm: {kind: batch}", "full"), some_digits(500, 100), engine="cpu").engine
    assert engine.evaluator.packed(engine.inputs.images) is engine.batches.all[0]
    first, second = engine.batches._batches(engine.inputs.sampler, 0, 0, 2)
    assert first is second is engine.batches.all


def test_it_makes_no_difference_when_a_seeds_batches_are_asked_for(batches_of):
    batches, sampler = batches_of("{kind: iid, size: 230, remainder: keep}")
    together = [whole(batch, 784)[0].copy() for batch in batches._batches(sampler, 0, 0, 4)]
    apart = [whole(batch, 784)[0] for step in range(4) for batch in batches._batches(sampler, 0, step, 1)]
    assert all((a == b).all() for a, b in zip(together, apart, strict=True))
