"""Evaluation by the training set's own statistics, against float64 arithmetic.

On twelve images, where Bessel's correction is 12 / 11: on thousands it would be lost in rounding.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines import evaluate
from bnrenorm.training import loop
from tests.helpers import ENGINES, some_digits, trials_of

IMAGES, EPS = 12, 1e-3


@pytest.fixture(scope="module")
def twelve():
    return some_digits(IMAGES, 30)


def training(data, semantics, engine="chainer"):
    text = f"""
model: {{hidden: [7, 5]}}
norm: {{kind: batch, semantics: {semantics}, eps: {EPS}}}
training: {{batch: 4, steps: 6}}
evaluation: {{every: 6, statistics: population}}
seeds: 2
"""
    return loop.Training(trials_of(text, IMAGES), data, engine=engine)


def by_hand(network, replica, train, test, semantics):
    """Return each layer's population mean and standard deviation (D,), and the logits of the test images, float64."""
    statistics = []
    train, test = train.astype(float), test.astype(float)
    *hidden, last = network.linears
    for linear, norm in zip(hidden, network.norms, strict=True):
        weights, bias = linear.W.array[replica].astype(float), linear.b.array[replica]
        train, test = (np.maximum(x @ weights.T + bias, 0) for x in (train, test))
        mean, var = train.mean(axis=0), train.var(axis=0, ddof=1 if semantics == "chainer" else 0)
        statistics.append((mean, np.sqrt(var + EPS)))
        gamma, beta = norm.affine.gamma.array[replica], norm.affine.beta.array[replica]
        train, test = ((x - mean) / np.sqrt(var + EPS) * gamma + beta for x in (train, test))
    return statistics, test @ last.W.array[replica].astype(float).T + last.b.array[replica]


@pytest.mark.parametrize("semantics", ["chainer", "paper"])
@pytest.mark.parametrize("rows", [5, 100])  # images at a time: parts that do not divide the set, or all of it
def test_population_statistics_are_those_of_all_training_images(twelve, monkeypatch, semantics, rows):
    monkeypatch.setattr(evaluate, "ROWS", rows)
    job = training(twelve, semantics)
    list(job)
    network = job.engine.replicas.network
    images = twelve.scaled("train")
    with evaluate.statistics(network, "population", images):
        got = [(norm.run_mean.copy(), norm.semantics.std(norm.run_scale.copy(), EPS)) for norm in network.norms]
    for replica in range(2):
        want, _ = by_hand(network, replica, images, images, semantics)
        for (mean, std), (want_mean, want_std) in zip(got, want, strict=True):
            assert_allclose(mean[replica, 0], want_mean, rtol=1e-5, atol=1e-6)
            assert_allclose(std[replica, 0], want_std, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("semantics", ["chainer", "paper"])
def test_the_recorded_loss_is_that_of_population_statistics(twelve, semantics, engine):
    job = training(twelve, semantics, engine)
    (record,) = [record for record in job if record is not None]
    network = job.engine.replicas.network
    for replica in range(2):
        _, logits = by_hand(network, replica, twelve.scaled("train"), twelve.scaled("test"), semantics)
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(30), twelve.labels("test")]
        assert record.values["test_loss"][replica] == pytest.approx(losses.mean(), rel=1e-5)
