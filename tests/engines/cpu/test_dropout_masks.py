"""Masks for the kernels against what the Chainer network keeps."""

import numpy as np
import pytest

from bnrenorm.engines.cpu.dropout_masks import DropoutMasks
from bnrenorm.engines.cpu.ops.layout import FAN_IN, B, W, layout_of
from bnrenorm.engines.spec import spec_of
from bnrenorm.network.dropout import Dropout
from tests.helpers import trials_of

WIDTHS = (40, 12, 8)
TEXT = """
model: {hidden: [12, 8]}
variants:
  A: {model: {dropout: {form: exact, keep_input: 0.7, keep_hidden: 0.4}}}
  B: {model: {dropout: {form: exact, keep_input: 0.9, keep_hidden: 0.6}}}
seeds: 2
"""


@pytest.fixture
def trials():
    return trials_of(TEXT, 100)


def masks_of(trials):
    layout = layout_of([*WIDTHS, 10], spec_of(trials[0].settings))
    return DropoutMasks(trials, layout), layout


def test_masks_are_those_of_the_chain(trials):
    masks, _ = masks_of(trials)
    chain = Dropout(trials, WIDTHS)
    for replica in range(len(trials)):
        rows = masks.of(replica, masks.draw(trials[replica].seed, 5, 3))
        assert rows.shape == (3, sum(WIDTHS))
        assert rows.dtype == np.float32
        for s, row in enumerate(rows):
            assert (row == chain._exact(5 + s)[replica, 0]).all()


def test_a_step_keeps_the_exact_number_of_nodes(trials):
    masks, _ = masks_of(trials)
    rows = masks.of(0, masks.draw(0, 0, 50))
    assert set(rows[:, :40].sum(axis=1)) == {28}  # 0.7 of 40
    assert set(rows[:, 40:52].sum(axis=1)) == {5}  # 0.4 of 12, rounded
    assert len(np.unique(rows, axis=0)) == 50


@pytest.mark.parametrize("replica", range(4))
def test_inference_takes_the_ratio_of_every_weight_and_no_bias(trials, rng, replica):
    masks, layout = masks_of(trials)
    p = rng.normal(size=1000).astype(np.float32)
    before = p.copy()
    got = masks.inference(replica, p)
    assert (p == before).all()
    want = p.copy()
    for layer, ratio in zip(
        layout.layers, (0.7, 0.4, 0.4) if trials[replica].variant == "A" else (0.9, 0.6, 0.6), strict=True
    ):
        assert layer[FAN_IN] in WIDTHS
        want[layer[W] : layer[B]] *= np.float32(ratio)
    assert (got == want).all()


def test_without_dropout_masks_are_empty_and_parameters_are_passed_on(rng):
    masks, _ = masks_of(trials_of("model: {hidden: [12, 8]}", 100))
    p = rng.normal(size=10)
    assert masks.of(0, masks.draw(0, 0, 4)).shape == (4, 0)
    assert masks.inference(0, p) is p
