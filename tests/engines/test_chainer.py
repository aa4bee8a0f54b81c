"""The Chainer engine: every replica learns by itself, from the batches of its own seed."""

import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.engines.select import make_engine
from tests.helpers import some_digits, trials_of


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 50)


def engine_of(few, text):
    return make_engine("chainer", trials_of(f"model: {{hidden: [4]}}\n{text}", 200), few, "cpu")


def test_each_replica_sees_the_batches_of_its_seed(few):
    engine = engine_of(few, "training: {batch: 10}\nvariants: {A: {}, B: {norm: {kind: renorm}}}\nseeds: [3, 5]")
    images, labels = engine._batch(4)
    for replica, trial in enumerate(engine.replicas.trials):
        indices = engine.inputs.sampler.indices(trial.seed, 4)
        assert (images[replica] == few.scaled("train")[indices]).all()
        assert (labels[replica] == few.labels("train")[indices]).all()


def test_the_full_batch_is_shared(few):
    engine = engine_of(few, "seeds: 2")
    images, labels = engine._batch(4)
    assert images.shape == (200, 784)
    assert labels.shape == (200,)


def test_each_replica_gets_the_gradient_of_its_own_mean_loss(few):
    """Against a graph of one replica's weights alone, without normalisation."""
    engine = engine_of(few, "norm: {kind: none}\ntraining: {batch: 10, optimizer: {kind: sgd, lr: 0.5}}\nseeds: 2")
    linears = engine.network.linears
    before = [[linear.W.array[i].copy() for linear in linears] for i in range(2)]
    engine.advance(0, 1, observe=False)
    for i, trial in enumerate(engine.replicas.trials):
        indices = engine.inputs.sampler.indices(trial.seed, 0)
        weights = [chainer.Parameter(array) for array in before[i]]
        hidden = F.relu(F.linear(few.scaled("train")[indices], weights[0]))
        loss = F.softmax_cross_entropy(F.linear(hidden, weights[1]), few.labels("train")[indices])
        loss.backward()
        assert engine.replicas.sums[i, 0] == pytest.approx(float(loss.array), rel=1e-5)
        for linear, weight in zip(linears, weights, strict=True):
            assert_allclose(linear.W.array[i], weight.array - 0.5 * weight.grad, rtol=1e-4, atol=1e-6)
