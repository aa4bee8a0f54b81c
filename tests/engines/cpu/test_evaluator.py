"""Loss and accuracy of whole sets, against a forward pass in float64."""

import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.select import make_engine
from tests import oracle
from tests.helpers import some_digits, trials_of


@pytest.fixture(scope="module")
def few():
    return some_digits(300, 120)


def by_hand(network, replica, images, labels, *, use_batch_statistics):
    """Return mean loss and accuracy of one replica."""
    x = images.astype(float)
    for linear, norm in zip(list(network.linears)[:-1], network.norms, strict=True):
        x = np.maximum(x @ linear.W.array[replica].T.astype(float) + linear.b.array[replica], 0)
        eps = norm.eps[replica, 0, 0]
        mean, var = norm.run_mean[replica, 0].astype(float), norm.run_scale[replica, 0].astype(float)
        if use_batch_statistics:
            mean, var = x.mean(axis=0), x.var(axis=0)
        x = (x - mean) / np.sqrt(var + eps) * norm.affine.gamma.array[replica] + norm.affine.beta.array[replica]
    logits = x @ network.linears[-1].W.array[replica].T + network.linears[-1].b.array[replica]
    losses = [oracle.cross_entropy(list(row), label) for row, label in zip(logits, labels, strict=True)]
    return np.mean(losses), np.mean(logits.argmax(axis=1) == labels)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("use_batch_statistics", [False, True])
@pytest.mark.parametrize("images", [1, 119, 1103])  # within one block of 500, and in several
def test_a_set_is_evaluated_by_some_replicas(few, rng, use_batch_statistics, images, workers):
    engine = make_engine("cpu", trials_of("model: {hidden: [8, 6]}\ntraining: {batch: 10}\nseeds: 3", 300), few, "cpu")
    engine.advance(0, 20, observe=False)
    network = engine.replicas.network
    chosen = rng.integers(0, 120, images)
    x, labels = few.scaled("test")[chosen], few.labels("test")[chosen]
    engine.evaluator.workers = workers
    loss, accuracy = engine.evaluator.evaluate(x, labels, [0, 2], use_batch_statistics=use_batch_statistics)
    assert np.isnan([loss[1], accuracy[1]]).all()
    for replica in (0, 2):
        want_loss, want_accuracy = by_hand(network, replica, x, labels, use_batch_statistics=use_batch_statistics)
        assert_allclose(loss[replica], want_loss, rtol=2e-5)
        assert_allclose(accuracy[replica], want_accuracy, atol=1e-9)


def test_a_set_is_packed_once(few):
    engine = make_engine("cpu", trials_of("model: {hidden: [8]}", 300), few, "cpu")
    images = few.scaled("test")
    assert engine.evaluator.packed(images) is engine.evaluator.packed(images)
    other = images.copy()
    assert engine.evaluator.packed(images) is not engine.evaluator.packed(other)
    kept = weakref.ref(other)
    del other
    assert kept() is not None  # or its id might become that of another set
