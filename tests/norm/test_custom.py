"""A user's own Link as a variant: trained as if it stood alone, kept whole, and told from another version."""

import re
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

import bnrenorm
from bnrenorm._compat import F, L, chainer
from bnrenorm.errors import InputError
from bnrenorm.network import mlp
from bnrenorm.norm import registry
from bnrenorm.training import loop
from tests.helpers import curves, some_digits, trials_of


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


def trials(text, images=600):
    return trials_of(f"model: {{hidden: [30, 20]}}\n{text}", images)


OPTIMIZERS = ("sgd, lr: 0.1", "momentum_sgd, lr: 0.1, momentum: 0.5", "adam, lr: 0.01", "rmsprop, lr: 0.01")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.slow
def test_stock_chainers_link_is_our_own_batch_normalisation(optimizer):
    bnrenorm.register_norm("stock", L.BatchNormalization)
    training = f"training: {{batch: 50, steps: 8, optimizer: {{kind: {optimizer}}}}}\nevaluation: {{average: 0.5}}\n"
    grid = "grid: {training.optimizer.lr: [0.001, 0.02]}\nseeds: 2\n"
    data = some_digits(600, 100)
    ours, theirs = (
        curves(loop.Training(trials(f"{training}{grid}norm: {norm}"), data))
        for norm in ("{kind: batch}", "{kind: custom, name: stock}")
    )
    assert_allclose(theirs, ours, rtol=2e-3, atol=0.0101)
    assert (ours[-1, 0, 0] - ours[-1, 0, 2]) ** 2 > 1e-6  # the rates do differ


class Scale(chainer.Link):
    """Draws its initial scale from NumPy's global generator, as Chainer's initialisers do."""

    def __init__(self, width):
        super().__init__()
        with self.init_scope():
            self.scale = chainer.Parameter(chainer.initializers.Normal(1.0), (width,))
        self.add_persistent("calls", 0)

    def forward(self, x):
        self.calls += chainer.config.train
        return x * F.broadcast_to(self.scale, x.shape)


ONE, OTHER = Scale(30), Scale(30)


class Returning(chainer.Link):
    def __init__(self, function):
        super().__init__()
        self.forward = function


class Noisy(Scale):
    """Draws in every step too."""

    def forward(self, x):
        self.drawn = np.random.random(x.shape)  # noqa: NPY002 - from what Chainer draws from
        return F.dropout(super().forward(x), 0.3)


@pytest.mark.parametrize("link", [Scale, Noisy])
def test_alone_in_company_and_resumed_it_has_the_same_bits(link):
    bnrenorm.register_norm("scale", link)
    data = some_digits(300, 100)
    group = trials("norm: {kind: custom, name: scale}\ntraining: {batch: 20, steps: 6}\nseeds: 3")
    together = curves(loop.Training(group, data))
    assert (together[0, 0, 0] != together[0, 0, 1]).all()
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for replica, trial in enumerate(group):
        assert (curves(loop.Training([trial], data))[:, :, 0] == together[:, :, replica]).all()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    first = loop.Training(group, data)
    for _, _ in zip(range(3), first, strict=False):
        pass
    resumed = loop.Training(group, data)
    resumed.load_state_dict(first.state_dict())
    assert (curves(resumed) == together[3:]).all()
    assert resumed.engine.replicas.network.norms[1][2].calls == 6


def test_it_draws_anew_in_every_step_and_layer():
    bnrenorm.register_norm("noisy", Noisy)
    network = mlp.build(trials("norm: {kind: custom, name: noisy}"), 784)
    images, drawn = np.ones((50, 784), np.float32), []
    for network.step in (0, 1, 0):
        with chainer.using_config("train", True):
            network(images)
            drawn.append([norm[0].drawn for norm in network.norms])
    (first, second), (other, _), (again, _) = drawn
    assert (first == again).all()
    assert (first != other).any()
    assert (first[:, :20] != second).any(), "each layer draws its own"


def test_its_initial_values_are_drawn_by_seed_and_layer():
    bnrenorm.register_norm("scale", Scale)
    network = mlp.build(trials("norm: {kind: custom, name: scale}\nseeds: 2"), 784)
    for depth, width in enumerate((30, 20)):
        for seed in range(2):
            drawn = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3, depth))).integers(2**32)
            want = np.random.RandomState(drawn).normal(0, 1, width)
            assert_allclose(network.norms[depth][seed].scale.array, want, rtol=1e-6)


def test_another_source_is_another_trial():
    def key(factory, **version):
        bnrenorm.register_norm("mine", factory, **version)
        return trials("norm: {kind: custom, name: mine}")[0].key("x", "chainer")

    assert key(L.BatchNormalization) != key(L.BatchRenormalization)
    assert key(L.BatchNormalization, version="1") != key(L.BatchNormalization, version="2")
    assert key(L.BatchNormalization) == key(L.BatchNormalization)


def test_a_factory_that_is_not_the_experiments_own_trains_nothing(monkeypatch):
    """Its results would be stored as those of the other."""
    bnrenorm.register_norm("mine", Scale)
    group = trials("norm: {kind: custom, name: mine}")
    bnrenorm.register_norm("mine", L.BatchNormalization)
    with pytest.raises(
        InputError, match="norm 'mine' was registered again, or what it uses has changed, since the experiment"
    ):
        loop.Training(group, some_digits(600, 100))
    monkeypatch.setattr(registry, "_registered", {})  # as in a worker, without plugins
    with pytest.raises(
        InputError, match="norm 'mine' is not registered in this process, and workers know those of files"
    ):
        loop.Training(group, some_digits(600, 100))


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (lambda width: 3, "'mine': the factory returned int, expected a chainer.Link"),
        (lambda width: None, "'mine': the factory returned NoneType, expected a chainer.Link"),
        (lambda width: (L.BatchNormalization(width),), "'mine': the factory returned tuple, expected a chainer.Link"),
        (lambda width: ONE, "'mine': the factory returned one Link twice, expected a new one"),
        (lambda width: chainer.Sequential(OTHER), "'mine': the factory returned one Link twice"),
        (lambda width: Returning(lambda x: None), "'mine' returns NoneType, expected a Variable"),
        (lambda width: Returning(lambda x: (x, x)), "'mine' returns tuple, expected a Variable"),
        (lambda width: Returning(lambda x: x.array), "'mine' returns ndarray, expected a Variable"),
        (
            lambda width: Returning(lambda x: F.cast(x, np.float64)),
            r"'mine' maps float32 \(20, 30\) to float64 \(20, 30\), expected the same",
        ),
        (lambda width: L.BatchNormalization(width + 1), r"norm 'mine' of float32 \(20, 30\): InvalidType: "),
        (
            lambda width: 1 // 0,
            rf"^{re.escape(__file__)}:\d+: norm 'mine' of width 30: ZeroDivisionError: .*division",
        ),
        (
            lambda width: Returning(lambda x: x.y),
            rf"^{re.escape(__file__)}:\d+: norm 'mine' of float32 \(20, 30\): Attrib",
        ),
        (
            partial(L.BatchNormalization, dtype="so"),
            "^norm 'mine' of width 30: TypeError: data type 'so' not understood",
        ),
        (lambda width: L.Linear(None, width), "'mine': parameter /W is not initialised"),
        (lambda width: L.Linear(width, 7), r"'mine' maps float32 \(20, 30\) to float32 \(20, 7\), expected the same"),
    ],
)
def test_a_factory_that_makes_something_else_is_refused(factory, message):
    bnrenorm.register_norm("mine", factory, version="1")
    with pytest.raises(InputError, match=message):
        list(
            loop.Training(
                trials("norm: {kind: custom, name: mine}\ntraining: {batch: 20, steps: 1}\nseeds: 2"),
                some_digits(300, 100),
            )
        )


def test_a_config_that_names_none_is_told_those_there_are():
    bnrenorm.register_norm("built", Scale)
    with pytest.raises(InputError, match=r"norm.name is 'other', expected a name .*; registered: built"):
        trials("norm: {kind: custom, name: other}")
    with pytest.raises(InputError, match=r"norm.source is 'old', expected the digest of the Link that is registered"):
        trials("norm: {kind: custom, name: built, source: old}")


@pytest.mark.parametrize(
    "text",
    [
        "training: {batch: 20, micro_batch: 5}",
        "evaluation: {statistics: batch}",
        "evaluation: {statistics: population}",
    ],
)
def test_what_only_our_own_statistics_can_do_is_refused(text):
    bnrenorm.register_norm("scale", Scale)
    with pytest.raises(InputError, match="custom"):
        trials(f"norm: {{kind: custom, name: scale}}\n{text}")


def test_its_network_knows_whose_each_parameter_and_persistent_value_is():
    bnrenorm.register_norm("scale", Scale)
    network = mlp.build(trials("norm: {kind: custom, name: scale}\nseeds: 2"), 784)
    paths = {f"/norms/{depth}/{r}/{name}": r for depth in range(2) for r in range(2) for name in ("scale", "calls")}
    assert network.replica_of == paths


def test_its_arrays_are_named_alike_in_every_company():
    bnrenorm.register_norm("stock", L.BatchNormalization)
    group = trials("norm: {kind: custom, name: stock}\nseeds: 3\nevaluation: {parameters: true}")
    training, alone = (loop.Training(some, some_digits(300, 100)) for some in (group, group[2:]))
    first, second = training.parameters()[2], alone.parameters()[0]
    assert first.keys() == second.keys() >= {"norms/1/gamma", "norms/1/avg_var", "linears/2/b"}
    assert all((first[name] == second[name]).all() for name in first)


def test_early_stopping_goes_back_to_the_best_of_a_links_own_arrays():
    """Its parameters and statistics have no replica axis: each replica keeps and restores its own."""
    bnrenorm.register_norm("restorable", lambda width: chainer.links.BatchNormalization(width), version="1")
    text = (
        "model: {hidden: [10]}\nnorm: {kind: custom, name: restorable}\ndata: {validation: 100}\nseeds: 2\n"
        "training: {steps: 30, batch: 50, optimizer: {lr: 0.5}, early_stopping: {patience: 3, watch: accuracy}}"
    )
    training = loop.Training(trials_of(text, 500), some_digits(500, 100))
    records = [record for record in training if record is not None]
    for replica in range(2):
        accuracies = [record.values["validation_accuracy"][replica] for record in records]
        stop = next((i for i, r in enumerate(records) if r.diagnosis["stopped"][replica]), len(records) - 1)
        assert training.engine.evaluate()["validation_accuracy"][replica] == max(accuracies[: stop + 1])
