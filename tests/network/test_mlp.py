import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.network import mlp
from tests.helpers import trials_of


def test_variants_of_one_seed_start_from_the_same_weights_and_seeds_differ():
    net = mlp.build(trials_of("variants: {A: {}, B: {norm: {kind: renorm}}}\nseeds: 2"), 784)
    weights = net.linears[0].W.array
    assert weights.shape == (4, 400, 784)
    assert weights.dtype == np.float32
    assert (weights[0] == weights[2]).all()
    assert (weights[1] == weights[3]).all()
    assert not (weights[0] == weights[1]).any()


def test_every_layer_has_weights_of_its_own():
    first, second, _ = (link.W.array for link in mlp.build(trials_of("model: {hidden: [9, 9]}"), 9).linears)
    assert first.shape == second.shape
    assert not (first == second).any()


def test_initial_weights_are_lecun_normal():
    weights = mlp.build(trials_of("seeds: 1"), 784).linears[0].W.array.astype(float)
    assert weights.std() == pytest.approx(1 / 28, rel=0.01)
    assert abs(weights.mean()) < 4 / 28 / np.sqrt(weights.size)


def test_limits_are_those_of_each_trial():
    text = "variants: {A: {}, B: {norm: {kind: renorm, r_max: 2, warmup: 10, ramp_r: 10, ramp_d: 20}}}"
    (norm,) = mlp.build(trials_of(text), 784).norms
    assert norm.r_max(0).ravel().tolist() == [1, 1]
    assert norm.r_max(15).ravel().tolist() == [1, 1.5]
    assert norm.d_max(20).ravel().tolist() == [0, 2.5]
    assert norm.d_max(49).ravel().tolist() == [0, 5]


@pytest.mark.parametrize("order", ["linear-activation-norm", "linear-norm-activation"])
def test_forward_is_the_layers_in_their_order(rng, order):
    net = mlp.build(trials_of(f"model: {{hidden: [6, 5], order: {order}}}"), 4)
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
    net = mlp.build(trials_of("norm: {kind: none}"), 784)
    assert len(net.norms) == 0
    assert sorted(name for name, _ in net.namedparams()) == [f"/linears/{i}/{p}" for i in (0, 1) for p in "Wb"]


@pytest.mark.parametrize("order", ["linear-activation-norm", "linear-norm-activation"])
def test_before_norm_is_what_each_normalisation_is_given(rng, order):
    net = mlp.build(trials_of(f"model: {{hidden: [6, 5], order: {order}}}\nseeds: 2"), 4)
    x, given = rng.normal(size=(7, 4)).astype(np.float32), []
    for norm in net.norms:
        norm.forward = lambda h, real=norm.forward: given.append(chainer.as_array(h)) or real(h)
    with chainer.using_config("train", False):
        net(x)
        seen, found = list(given), [net.before_norm(x, depth).array for depth in range(2)]
    for got, want in zip(found, seen, strict=True):
        assert got.shape == want.shape
        assert (got == want).all()


def test_only_layers_that_depend_on_the_batch_are_batch_norms():
    for kind, count in (("batch", 2), ("renorm", 2), ("layer", 0), ("none", 0)):
        net = mlp.build(trials_of(f"model: {{hidden: [6, 5]}}\nnorm: {{kind: {kind}}}"), 4)
        assert len(net.batch_norms) == count
        assert net.replica_of == {}


def test_persistent_values_are_named_by_path_in_an_order_that_is_the_same_in_every_process():
    net = mlp.build(trials_of("model: {hidden: [6, 5]}"), 4)
    names = [f"/norms/{depth}/{name}" for depth in range(2) for name in ("run_mean", "run_scale", "step")]
    assert [path for path, *_ in net.persistents] == names
    for path, link, attribute in net.persistents:
        assert path.endswith(f"/{attribute}")
        assert hasattr(link, attribute)


STACKED = [
    "norm: {kind: renorm, r_max: 2, decay: 0.5, affine_lr: 0.1}",
    "training: {optimizer: {lr: 1, momentum: 0.2}, weight_decay: 0.1, l1_decay: 0.1}",
    "model: {weight_init: he_normal}",
]
APART = [
    "norm: {kind: none}",
    "norm: {kind: layer}",
    "norm: {kind: batch, semantics: paper}",
    "norm: {kind: batch, affine: layer}",
    "norm: {kind: batch, affine: layer, affine_gradient: mean}",
    "model: {hidden: [3]}",
    "model: {order: linear-norm-activation}",
    "model: {activation: tanh}",
    "model: {dropout: {form: exact, keep_hidden: 0.5}}",
    "model: {dropout: {form: inverted, keep_hidden: 0.5}}",
    "training: {batch: 10}",
    "training: {micro_batch: 10}",
    "training: {steps: 7}",
    "training: {loss: squared_error}",
    "training: {optimizer: {kind: sgd}}",
    "training: {optimizer: {kind: adam}}",
    "training: {optimizer: {kind: adam, beta1: 0.5}}",
    "training: {optimizer: {kind: rmsprop}}",
    "training: {optimizer: {kind: rmsprop, eps: 0.1}}",
    "evaluation: {every: 5}",
    "evaluation: {statistics: batch}",
    "evaluation: {average: 0.5}",
    "evaluation: {penalty: true}",
]


def test_structure_tells_what_can_be_stacked():
    def structures(settings, base=""):
        variants = "".join(f"  V{i}: {{{each}}}\n" for i, each in enumerate(settings))
        return [mlp.structure(trial) for trial in trials_of(f"{base}variants:\n  plain: {{}}\n{variants}")]

    assert len(set(structures(STACKED))) == 1
    assert len(set(structures(APART))) == len(APART) + 1
    stopping = [f"training: {{early_stopping: {{patience: {patience}}}}}" for patience in (1, 2)]
    without, one, two = structures(stopping, "data: {validation: 100}\n")
    assert without != one == two


@pytest.mark.parametrize(
    "group", ["model", "model.activation", "model.dropout", "norm", "training", "training.optimizer", "evaluation"]
)
def test_a_setting_that_structure_does_not_name_keeps_trials_apart(group):
    """A new setting is shared by the replicas of a group, until the network takes a vector of it."""
    (trial,) = trials_of("model: {dropout: {keep_hidden: 0.5}}")

    def structure(value):
        def with_a_new_one(settings, path):
            if not path:
                kind = type(settings)
                new = type(kind.__name__, (kind,), {"__annotations__": {"another": int}, "another": 0})
                return new(**dict(settings), another=value)
            return settings.model_copy(update={path[0]: with_a_new_one(getattr(settings, path[0]), path[1:])})

        return mlp.structure(dataclasses.replace(trial, settings=with_a_new_one(trial.settings, group.split("."))))

    assert structure(1) == structure(1)
    assert structure(1) != structure(2)


def test_alike_structures_really_can_be_stacked(rng):
    """In one network each replica has the numbers that it has alone."""
    variants = "".join(f"  V{i}: {{{each}}}\n" for i, each in enumerate(STACKED))
    trials = trials_of(f"model: {{hidden: [6, 5]}}\nvariants:\n{variants}")
    together, alone = mlp.build(trials, 4), [mlp.build([trial], 4) for trial in trials]
    with chainer.using_config("train", True):
        for x in rng.normal(size=(3, 7, 4)).astype(np.float32):
            y = together(x).array
            for replica, network in enumerate(alone):
                assert (network(x).array[0] == y[replica]).all()
    for norm, *own in zip(together.norms, *(network.norms for network in alone), strict=True):
        assert (norm.run_scale == np.concatenate([link.run_scale for link in own])).all()
