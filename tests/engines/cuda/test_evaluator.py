"""Evaluation a few replicas and images at a time: the same values as all at once, and as by hand in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cuda import evaluator as module
from bnrenorm.engines.cuda.rows import divide
from tests import oracle
from tests.engines.groups import SETTINGS, SMALL, advance, coarse_digits, group, training_of

KINDS = {
    **{name: SETTINGS[name] for name in ("BN after", "BRN before, paper", "layer", "none", "decay, average")},
    "dropout": "model.dropout: {form: exact, keep_input: 0.7}\ngrid: {model.dropout.keep_hidden: [0.4, 0.8, 1.0]}",
}


@pytest.fixture(scope="module")
def few():
    return coarse_digits(300, 100)


def trained(few, name, **more):
    """Return the CUDA engine of three replicas after two steps, by NumPy in float64."""
    seeds = 1 if name == "dropout" else 3
    training = training_of(group(KINDS[name], SMALL, 300, seeds=seeds, **more), few, "reference", float64=True)
    advance(training, 2)
    return training.engine


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("statistics", ["running", "batch"])
@pytest.mark.parametrize(("budget", "images"), [(1, 10_000), (2**29, 7), (1, 7), (400_000, 30)])
def test_parts_have_the_values_of_the_whole(few, monkeypatch, name, statistics, budget, images):
    """One replica at a time, two or all; and images that do not divide the set, whose own statistics need it whole."""
    engine = trained(few, name, evaluation__statistics=statistics)
    want = engine.evaluate()
    assert len(want["test_loss"]) == 3
    monkeypatch.setattr(module, "BUDGET", budget)
    monkeypatch.setattr(module, "_IMAGES", images)
    got = engine.evaluate()
    for key in want:
        assert_allclose(got[key], want[key], rtol=1e-12)


def test_the_parts_are_as_large_as_the_budget_allows(few, monkeypatch):
    engine, seen = trained(few, "BN after"), []
    real = engine.evaluator._losses

    def spy(layers, batch, context, mode):
        seen.append((len(context.hyper), len(batch.labels)))
        return real(layers, batch, context, mode)

    monkeypatch.setattr(engine.evaluator, "_losses", spy)
    engine.evaluate()
    monkeypatch.setattr(module, "BUDGET", 1)
    monkeypatch.setattr(module, "_IMAGES", 60)
    engine.evaluate()
    one = module.bytes_of("f8", (64, 30, 20, 10), divide(60), engine.spec, drops=False, learning=False)
    monkeypatch.setattr(module, "BUDGET", 3 * one - 1)
    engine.evaluate()
    assert seen == [(3, 100)] + [(1, 60), (1, 40)] * 3 + [(2, 60), (2, 40), (1, 60), (1, 40)]


def test_weights_for_tensor_cores_count_too(few, monkeypatch):
    """Two replicas fit without them: 100 images' activations, and thirds of 30 x 64 weights, 6 bytes each."""
    training, seen = training_of(group(KINDS["BN after"], SMALL, 300, seeds=3), few, "reference"), []
    engine = training.engine
    real = engine.evaluator._losses
    monkeypatch.setattr(engine.evaluator, "_losses", lambda *a: seen.append(len(a[2].hyper)) or real(*a))
    one = module.bytes_of("f4", (64, 30, 20, 10), divide(100), engine.spec, drops=False, learning=False)
    for budget in (2 * (one + 6 * 30 * 64), 2 * (one + 6 * 30 * 64) - 1):
        monkeypatch.setattr(module, "BUDGET", budget)
        engine.evaluate()
    assert seen == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_loss_and_accuracy_are_those_by_hand(few, statistics):
    engine = trained(few, "BN after", evaluation__statistics=statistics)
    network, (images, labels) = engine.network, engine.inputs.eval_sets["test"]
    got = engine.evaluate()
    for replica in range(3):
        x = images
        for linear, norm in zip(list(network.linears)[:-1], network.norms, strict=True):
            x = np.maximum(x @ linear.W.array[replica].T + linear.b.array[replica], 0)
            mean, var = norm.run_mean[replica, 0], norm.run_scale[replica, 0]
            if statistics == "batch":
                mean, var = x.mean(axis=0), x.var(axis=0)
            gamma, beta = norm.affine.gamma.array[replica], norm.affine.beta.array[replica]
            x = (x - mean) / np.sqrt(var + norm.eps[replica, 0, 0]) * gamma + beta
        logits = x @ network.linears[-1].W.array[replica].T + network.linears[-1].b.array[replica]
        losses = [oracle.cross_entropy(list(row), label) for row, label in zip(logits, labels, strict=True)]
        assert_allclose(got["test_loss"][replica], np.mean(losses), rtol=1e-7)
        assert got["test_accuracy"][replica] == pytest.approx(np.mean(logits.argmax(axis=1) == labels), abs=1e-12)


@pytest.mark.gpu
def test_parts_have_the_values_of_the_whole_on_a_gpu(few, monkeypatch):
    training = training_of(group(SETTINGS["dropout"], SMALL, 300, seeds=3), few, "cuda")
    advance(training, 2)
    want = training.engine.evaluate()
    monkeypatch.setattr(module, "BUDGET", 1)
    monkeypatch.setattr(module, "_IMAGES", 30)
    got = training.engine.evaluate()
    assert_allclose(got["test_loss"], want["test_loss"], rtol=1e-5)
    assert_allclose(got["test_accuracy"], want["test_accuracy"], atol=0.0101)  # one image of 100
