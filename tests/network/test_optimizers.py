"""Every optimizer with per-replica hyperparameters against Chainer's own, a replica at a time."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.engines import device
from bnrenorm.network import mlp, optimizers
from tests.helpers import trials_of

KINDS = {
    "sgd": lambda lr: chainer.optimizers.SGD(lr),
    "momentum_sgd": lambda lr: chainer.optimizers.MomentumSGD(lr, 0.9),
    "adam": lambda lr: chainer.optimizers.Adam(lr),
    "rmsprop": lambda lr: chainer.optimizers.RMSprop(lr),
}
RATES = (0.01, 0.1)


def stack(training, norm="{kind: batch}"):
    text = f"model: {{hidden: [4]}}\nnorm: {norm}\ntraining: {training}\ngrid: {{training.optimizer.lr: {list(RATES)}}}"
    trials = trials_of(text, 100)
    network = mlp.build(trials, 3)
    return network, optimizers.make(network, trials, device.chainer_device("cpu"))


def gradients(network, rng):
    for _, parameter in sorted(network.namedparams()):
        parameter.grad = rng.normal(size=parameter.shape).astype(np.float32)


@pytest.mark.parametrize(("l2", "l1"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
@pytest.mark.parametrize("kind", KINDS)
def test_each_replica_takes_the_steps_of_chainers_optimizer(kind, l2, l1):
    network, optimizer = stack(f"{{optimizer: {{kind: {kind}}}, weight_decay: {l2}, l1_decay: {l1}}}")
    copies = [chainer.Link() for _ in RATES]
    for replica, (link, lr) in enumerate(zip(copies, RATES, strict=True)):
        for name, parameter in network.namedparams():
            with link.init_scope():
                setattr(link, name.replace("/", "_"), chainer.Parameter(parameter.array[replica].copy()))
        own = KINDS[kind](lr).setup(link)
        rng = np.random.default_rng(0)
        for _ in range(5):
            gradients(network, rng)
            for name, parameter in network.namedparams():
                mine = getattr(link, name.replace("/", "_"))
                decay = l2 * mine.array + l1 * np.sign(mine.array) if name.endswith("/W") else 0
                mine.grad = parameter.grad[replica] + np.float32(decay)
            own.update()
    rng = np.random.default_rng(0)
    for _ in range(5):
        gradients(network, rng)
        optimizer.update()
    for replica, link in enumerate(copies):
        for name, parameter in network.namedparams():
            assert parameter.dtype == np.float32
            assert_allclose(parameter.array[replica], getattr(link, name.replace("/", "_")).array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("momentum_sgd", "momentum"), ("rmsprop", "alpha")])
def test_each_replica_has_a_momentum_and_an_alpha_of_its_own(kind, name):
    text = f"model: {{hidden: [4]}}\ntraining: {{optimizer: {{kind: {kind}}}}}\ngrid: {{training.optimizer.{name}: [0.3, 0.8]}}"
    network = mlp.build(trials_of(text, 100), 3)
    optimizers.make(network, trials_of(text, 100), device.chainer_device("cpu"))
    for parameter in network.params():
        assert_allclose(getattr(parameter.update_rule.hyperparam, name).ravel(), [0.3, 0.8], rtol=1e-6)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_gamma_and_beta_may_have_a_rate_of_their_own(rng, kind):
    """The mean of gradients is for a gamma that nodes share: here each has its own."""
    norm = "{kind: batch, affine_lr: 0.5, affine_gradient: mean}"
    network, optimizer = stack(f"{{optimizer: {{kind: {kind}}}}}", norm)
    before = {name: parameter.array.copy() for name, parameter in network.namedparams()}
    gradients(network, rng)
    given = {name: parameter.grad.copy() for name, parameter in network.namedparams()}
    optimizer.update()
    for name, parameter in network.namedparams():
        for replica, lr in enumerate(RATES):
            rate = 0.5 if "affine" in name else lr
            step = given[name][replica] if kind == "sgd" else np.sign(given[name][replica])  # Adam's first
            assert_allclose(parameter.array[replica], before[name][replica] - rate * step, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("l1", [0.0, 0.5])
def test_a_gpu_is_not_asked_whether_there_is_an_l1_decay(fake_cupy, l1):
    """The answer would wait for all that the GPU has to do."""
    network, _ = stack(f"{{optimizer: {{kind: sgd}}, weight_decay: 0.3, l1_decay: {l1}}}")
    hook = network.linears[0].W.update_rule._hookable._pre_update_hooks["decay"]
    hook.l2, hook.l1 = (rate if rate is None else fake_cupy.wrap(rate) for rate in (hook.l2, hook.l1))
    weights = np.array([[[1.0, -2.0, 0.0]]] * 2, np.float32)
    parameter = SimpleNamespace(
        xp=fake_cupy, array=fake_cupy.wrap(weights), grad=fake_cupy.wrap(np.ones((2, 1, 3), np.float32))
    )
    hook(None, parameter)
    assert_allclose(parameter.grad.array, 1 + 0.3 * weights + l1 * np.sign(weights), rtol=1e-6)
    assert fake_cupy.copies_out == 0
