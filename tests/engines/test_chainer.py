"""The Chainer engine: every replica learns by itself, from the batches of its own seed."""

import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.data import sampling
from bnrenorm.engines import chainer as chainer_engine
from bnrenorm.engines.select import make_engine
from bnrenorm.rng import generator
from tests.helpers import batch_at, some_digits, trials_of


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 50)


def engine_of(few, text):
    text = text if "model:" in text else f"model: {{hidden: [4]}}\n{text}"
    return make_engine("chainer", trials_of(text, 200), few, "cpu")


def test_each_replica_sees_the_batches_of_its_seed(few):
    engine = engine_of(few, "training: {batch: 10}\nvariants: {A: {}, B: {norm: {kind: renorm}}}\nseeds: [3, 5]")
    images, labels = next(engine._batches(4, 1))
    for replica, trial in enumerate(engine.replicas.trials):
        indices = batch_at(engine.inputs.sampler, trial.seed, 4)
        assert (images[replica] == few.scaled("train")[indices]).all()
        assert (labels[replica] == few.labels("train")[indices]).all()


@pytest.mark.parametrize("replicas", ["variants: {A: {}, B: {norm: {kind: renorm}}}", "seeds: 2"])
@pytest.mark.parametrize("indices", [1, 60, 10**6])  # drawn at a time: those of a step, of three, of all
def test_the_batches_of_many_steps_are_those_of_every_step(few, monkeypatch, indices, replicas):
    monkeypatch.setattr(chainer_engine, "_INDICES", indices)
    batch = "{kind: iid, size: 30, remainder: keep}"  # 7 steps an epoch, the last of 20 images
    engine = engine_of(few, f"training: {{batch: {batch}}}\n{replicas}")
    batches = list(engine._batches(2, 9))
    assert [labels.shape for _, labels in batches] == [(2, 20 if step == 6 else 30) for step in range(2, 11)]
    for step, (images, labels) in enumerate(batches, start=2):
        for replica, trial in enumerate(engine.replicas.trials):
            drawn = batch_at(engine.inputs.sampler, trial.seed, step)
            assert (images[replica] == few.scaled("train")[drawn]).all()
            assert (labels[replica] == few.labels("train")[drawn]).all()


@pytest.mark.parametrize("seeds", [65, 1000])
@pytest.mark.slow
def test_every_epoch_of_every_seed_is_drawn_once(few, monkeypatch, seeds):
    drawn = []

    def spy(seed, stream, step=0):
        drawn.append((seed, step))
        return generator(seed, stream, step)

    engine = engine_of(few, f"model: {{hidden: [1]}}\ntraining: {{batch: 40}}\nseeds: {seeds}")
    monkeypatch.setattr(sampling, "generator", spy)
    for step in range(6):  # 5 an epoch
        engine.advance(step, 1, observe=step in (2, 5))  # which looks 5 batches ahead
    assert sorted(drawn) == [(seed, epoch) for seed in range(seeds) for epoch in (0, 1, 2)]


def test_a_call_returns_when_the_device_has_finished_which_is_asked_once(few, monkeypatch):
    engine, finished = engine_of(few, "training: {batch: 10}"), []
    monkeypatch.setattr(
        chainer_engine, "synchronize", lambda device: finished.append((device.name, engine.replicas.since))
    )
    engine.advance(0, 3, observe=False)
    engine.advance(3, 2, observe=True)
    assert finished == [("@numpy", 3), ("@numpy", 5)]


def test_the_full_batch_is_shared(few):
    engine = engine_of(few, "seeds: 2")
    images, labels = next(engine._batches(4, 1))
    assert images.shape == (200, 784)
    assert labels.shape == (200,)


def test_each_replica_gets_the_gradient_of_its_own_mean_loss(few):
    """Against a graph of one replica's weights alone, without normalisation."""
    engine = engine_of(few, "norm: {kind: none}\ntraining: {batch: 10, optimizer: {kind: sgd, lr: 0.5}}\nseeds: 2")
    linears = engine.network.linears
    before = [[linear.W.array[i].copy() for linear in linears] for i in range(2)]
    engine.advance(0, 1, observe=False)
    for i, trial in enumerate(engine.replicas.trials):
        indices = batch_at(engine.inputs.sampler, trial.seed, 0)
        weights = [chainer.Parameter(array) for array in before[i]]
        hidden = F.relu(F.linear(few.scaled("train")[indices], weights[0]))
        loss = F.softmax_cross_entropy(F.linear(hidden, weights[1]), few.labels("train")[indices])
        loss.backward()
        assert engine.replicas.sums[i, 0] == pytest.approx(float(loss.array), rel=1e-5)
        for linear, weight in zip(linears, weights, strict=True):
            assert_allclose(linear.W.array[i], weight.array - 0.5 * weight.grad, rtol=1e-4, atol=1e-6)
