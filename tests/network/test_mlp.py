import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.network import mlp


def trials(text, images=1000):
    return build(document.parse(f"name: a\n{text}", "x.yaml")).trials(images)


def test_variants_of_one_seed_start_from_the_same_weights_and_seeds_differ():
    net = mlp.build(trials("variants: {A: {}, B: {norm: {kind: renorm}}}\nseeds: 2"), 784)
    weights = net.linears[0].W.array
    assert weights.shape == (4, 400, 784)
    assert weights.dtype == np.float32
    assert (weights[0] == weights[2]).all()
    assert (weights[1] == weights[3]).all()
    assert not (weights[0] == weights[1]).any()


def test_every_layer_has_weights_of_its_own():
    first, second, _ = (link.W.array for link in mlp.build(trials("model: {hidden: [9, 9]}"), 9).linears)
    assert first.shape == second.shape
    assert not (first == second).any()


def test_initial_weights_are_lecun_normal():
    weights = mlp.build(trials("seeds: 1"), 784).linears[0].W.array.astype(float)
    assert weights.std() == pytest.approx(1 / 28, rel=0.01)
    assert abs(weights.mean()) < 4 / 28 / np.sqrt(weights.size)


def test_limits_are_those_of_each_trial():
    text = "variants: {A: {}, B: {norm: {kind: renorm, r_max: 2, warmup: 10, ramp_r: 10, ramp_d: 20}}}"
    (norm,) = mlp.build(trials(text), 784).norms
    assert norm.r_max(0).ravel().tolist() == [1, 1]
    assert norm.r_max(15).ravel().tolist() == [1, 1.5]
    assert norm.d_max(20).ravel().tolist() == [0, 2.5]
    assert norm.d_max(49).ravel().tolist() == [0, 5]


@pytest.mark.parametrize("order", ["linear-activation-norm", "linear-norm-activation"])
def test_forward_is_the_layers_in_their_order(rng, order):
    net = mlp.build(trials(f"model: {{hidden: [6, 5], order: {order}}}"), 4)
    x = rng.normal(size=(7, 4)).astype(np.float32)
    for norm in net.norms:
        norm.run_mean[...], norm.run_scale[...] = 0.3, 2.0
    with chainer.using_config("train", False):
        y = net(x).array[0]

    def normalise(h):
        return (h - 0.3) / np.sqrt(2 + 2e-5)

    h = x
    for layer in net.linears[:2]:
        h = h @ layer.W.array[0].T
        h = normalise(np.maximum(h, 0)) if order == "linear-activation-norm" else np.maximum(normalise(h), 0)
    assert_allclose(y, h @ net.linears[2].W.array[0].T, rtol=1e-4, atol=1e-5)


def test_without_normalisation_there_are_no_links():
    net = mlp.build(trials("norm: {kind: none}"), 784)
    assert len(net.norms) == 0
    assert sorted(name for name, _ in net.namedparams()) == [f"/linears/{i}/{p}" for i in (0, 1) for p in "Wb"]


def test_structure_tells_what_can_be_stacked():
    text = """
variants:
  A: {}
  B: {norm: {kind: renorm, decay: 0.5}, training: {optimizer: {lr: 1}}}
  C: {norm: {kind: none}}
  D: {norm: {kind: batch, semantics: paper}}
  E: {model: {hidden: [3]}}
"""
    a, b, c, d, e = (mlp.structure(trial) for trial in trials(text))
    assert a == b
    assert len({a, c, d, e}) == 4
