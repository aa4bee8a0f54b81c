"""Dropout: which nodes are kept, how many, and what inference makes of it."""

import numpy as np
import pytest

from bnrenorm._compat import chainer
from bnrenorm.network import dropout
from bnrenorm.rng import generator
from tests.helpers import trials_of

WIDTHS = (40, 30)


def of(form, shares=(0.5, 0.7)):
    text = f"model: {{hidden: [30], dropout: {{form: {form}, keep_hidden: 0.5}}}}\nseeds: 2"
    text += f"\ngrid: {{model.dropout.keep_input: {list(shares)}}}"
    return dropout.Dropout(trials_of(text, 100), WIDTHS)


@pytest.mark.parametrize("form", ["exact", "inverted"])
def test_what_is_kept_is_a_function_of_seed_step_and_layer(form):
    drop, x = of(form), np.ones((4, 500, 40), np.float32)
    with chainer.using_config("train", True):
        one, again, later = (drop(x, 0, step).array for step in (3, 3, 4))
        hidden = drop(x[:, :, :30], 1, 3).array
    assert (one == again).all()
    assert (one != later).any()
    kept = one != 0
    assert not (kept[0] == kept[1]).all()  # another seed
    assert not (kept[0] & ~kept[2]).any()  # the same seed, a larger share: whoever is kept stays
    assert not (kept[0, :, :30] == (hidden[0] != 0)).all()


def test_the_exact_form_keeps_a_count_the_same_for_all_images_and_inference_takes_the_share():
    drop, x = of("exact"), np.ones((4, 500, 40), np.float32)
    with chainer.using_config("train", True):
        y = drop(x, 0, 0).array
    assert (y == y[:, :1]).all()
    assert y[:, 0].sum(axis=1).tolist() == [20, 20, 28, 28]
    with chainer.using_config("train", False):
        assert np.allclose(drop(x, 0, 0).array[:, 0, 0], [0.5, 0.5, 0.7, 0.7])


def test_the_inverted_form_keeps_the_mean_and_inference_changes_nothing():
    drop, x = of("inverted"), np.ones((4, 500, 40), np.float32)
    with chainer.using_config("train", True):
        y = drop(x, 0, 0).array
    assert y.mean(axis=(1, 2)) == pytest.approx([1, 1, 1, 1], abs=4 / np.sqrt(500 * 40))
    assert np.unique(y[2]).tolist() == pytest.approx([0, 1 / 0.7])
    assert not (y == y[:, :1]).all()
    with chainer.using_config("train", False):
        assert drop(x, 0, 0) is x


def test_no_layer_has_the_mask_of_another_one_at_another_step():
    drop, x = of("inverted"), np.ones((4, 50, 30), np.float32)
    drop.widths = (30, 30, 30)
    drop.fractions = [drop.fractions[1]] * 3
    with chainer.using_config("train", True):
        masks = {drop(x, depth, step).array.tobytes() for depth in range(3) for step in range(4)}
    assert len(masks) == 12


def test_the_count_that_is_kept_is_rounded():
    assert [dropout.kept(share, width) for share, width in [(0.29, 100), (0.57, 100), (0.55, 10), (1.0, 7)]] == [
        29, 57, 6, 7
    ]  # fmt: skip


def test_images_that_replicas_share_are_dropped_of_each_by_its_own():
    with chainer.using_config("train", True):
        y = of("exact")(np.ones((5, 40), np.float32), 0, 0).array
    assert y.shape == (4, 5, 40)
    assert y[:, 0].sum(axis=1).tolist() == [20, 20, 28, 28]


def test_a_seeds_nodes_are_drawn_once_a_step_however_many_seeds_there_are(monkeypatch):
    text = "model: {hidden: [30], dropout: {form: exact, keep_hidden: 0.5}}\nseeds: 1000"
    text += "\nvariants: {A: {}, B: {norm: {kind: renorm}}}"
    drop = dropout.Dropout(trials_of(text, 100), WIDTHS)
    drawn = []

    def spy(seed, stream, step):
        drawn.append((seed, step))
        return generator(seed, stream, step)

    monkeypatch.setattr(dropout, "generator", spy)
    with chainer.using_config("train", True):
        for step in (3, 4):
            for depth, width in enumerate(WIDTHS):
                drop(np.ones((2, width), np.float32), depth, step)
    assert sorted(drawn) == [(seed, step) for seed in range(1000) for step in (3, 4)]
