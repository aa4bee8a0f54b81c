"""Which minibatches share a pass over the first layer's weights, and what is asked of the kernel, step by step."""

import numpy as np
import pytest

from bnrenorm.engines.cuda import sweeps, tensor_launches
from tests.engines.groups import SETTINGS, coarse_digits, group, presences, training_of

FITTING = 99 * 1024  # bytes of a block's shared memory on compute capability 8.6, the least with bfloat16


@pytest.fixture(scope="module")
def few():
    return coarse_digits(300, 50)


def suits(few, settings="norm: {kind: batch}", batch="{kind: iid, size: 100}", inputs=64, memory=FITTING):
    engine = training_of(group(settings, batch, 300), few, "reference").engine
    return sweeps.suits(engine.replicas.settings, inputs, engine.inputs.sampler, memory)


@pytest.mark.parametrize("settings", [name for name in SETTINGS if "dropout" not in name])
def test_every_norm_and_optimizer_has_sweeps(few, settings):
    batch = "{kind: iid, size: 100}"
    assert suits(few, SETTINGS[settings], batch)


@pytest.mark.parametrize(("size", "fits"), [(1, True), (128, True), (129, False)])
def test_batches_fit_up_to_a_size(few, size, fits):
    assert suits(few, batch=f"{{kind: iid, size: {size}}}") == fits


def test_what_has_none(few):
    assert not suits(few, batch="full")
    assert not suits(few, SETTINGS["dropout"])
    assert not suits(few, inputs=63)
    assert not suits(few, memory=48 * 1024)  # what every GPU has


@pytest.mark.parametrize(("width", "rows"), [(1, 16), (100, 112), (128, 128), (129, 80), (400, 112), (1000, 128)])
def test_blocks_take_equal_shares_of_the_rows(width, rows):
    assert tensor_launches.sweep_rows(width) == rows


def test_shared_memory_holds_the_stages():
    """Of 112 rows of 16 weights, 112 images of 16 pixels, and 16 pixels of 112 images, of four tiles."""
    assert tensor_launches.sweep_shared(100, 112) == 4 * (112 * 64 + 112 * 32 + 16 * 112 * 2)
    assert tensor_launches.sweep_shared(128, 128) == 4 * (128 * 64 + 128 * 32 + 16 * 144 * 2)  # rows of 9 x 32 bytes


def test_a_span_begins_with_a_product(few):
    engine = training_of(group("norm: {kind: batch}", "{kind: iid, size: 50}", 300), few, "reference").engine
    asked = presences(engine.ops, "sweep", 0)
    engine.spans.length = 3
    engine.advance(0, 5, observe=False)
    assert asked == [(False, True), (True, True), (True, True), (True, False), (False, True), (True, True), (True, False)]  # fmt: skip


def test_an_epochs_smaller_last_batch_is_trained_without_a_sweep(few):
    """Of 300 images: 120, 120, 60, and so on; a batch behind a smaller one is multiplied anew."""
    trials = group("norm: {kind: batch}", "{kind: iid, size: 120, remainder: keep}", 300)
    engine = training_of(trials, few, "reference").engine
    asked = presences(engine.ops, "sweep", 0)
    engine.advance(0, 5, observe=False)
    assert asked == [(False, True), (True, True), (True, False)] * 2


def test_the_tiles_of_a_batch_are_those_that_were_multiplied(few):
    training = training_of(group("norm: {kind: batch}", "{kind: iid, size: 50}", 300), few, "reference")
    engine, packed, swept = training.engine, [], []
    pack, sweep = engine.ops.pack, engine.ops.sweep

    def spy_pack(images, index, by_image, by_pixel):
        pack(images, index, by_image, by_pixel)
        packed.append(by_pixel.copy())

    def spy_sweep(current, following, *rest):
        if current is not None:
            swept.append(current.copy())
        sweep(current, following, *rest)

    engine.ops.pack, engine.ops.sweep = spy_pack, spy_sweep
    engine.advance(0, 4, observe=False)
    assert all(np.array_equal(one, other) for one, other in zip(packed, swept, strict=True))
    assert len({tiles.tobytes() for tiles in packed}) == 4
