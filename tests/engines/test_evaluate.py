from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.engines import evaluate
from bnrenorm.network.losses import mean_loss
from bnrenorm.training import loop
from tests import oracle
from tests.engines.groups import advance
from tests.helpers import ENGINES, some_digits, trials_of


@pytest.fixture(scope="module")
def few():
    return some_digits(300, 120)


def trained(few, text="model: {hidden: [8, 6]}\ntraining: {batch: 10, steps: 30}\nevaluation: {every: 30}\nseeds: 2"):
    """Return a network after its training."""
    training = loop.Training(trials_of(text, 300), few)
    for _ in training:
        pass
    return training.engine.replicas.network


def bits(network):
    arrays = {name: parameter.array.copy() for name, parameter in network.namedparams()}
    for i, norm in enumerate(network.batch_norms):
        arrays |= {f"{i}mean": norm.run_mean.copy(), f"{i}scale": norm.run_scale.copy(), f"{i}step": norm.step}
    return arrays


def test_loss_and_accuracy_are_the_oracles_for_shared_and_own_labels(rng):
    logits = rng.normal(size=(2, 5, 3)).astype(np.float32)
    labels = rng.integers(0, 3, (2, 5)).astype(np.int32)
    loss, accuracy = mean_loss(chainer.Variable(logits), labels), evaluate.accuracy(logits, labels)
    shared = mean_loss(chainer.Variable(logits), labels[0])
    for i in range(2):
        own = [oracle.cross_entropy([float(v) for v in row], t) for row, t in zip(logits[i], labels[i], strict=True)]
        first = [oracle.cross_entropy([float(v) for v in row], t) for row, t in zip(logits[i], labels[0], strict=True)]
        assert loss.array[i] == pytest.approx(np.mean(own), rel=1e-5)
        assert shared.array[i] == pytest.approx(np.mean(first), rel=1e-5)
        assert accuracy[i] == np.mean(logits[i].argmax(axis=1) == labels[i])


def test_a_set_is_measured_in_parts_as_if_at_once(few, monkeypatch):
    network = trained(few)
    images, labels = few.scaled("test"), few.labels("test")
    whole = evaluate.measure(network, images, labels)
    monkeypatch.setattr(evaluate, "ROWS", 7)
    for got, want in zip(evaluate.measure(network, images, labels), whole, strict=True):
        assert got.dtype == np.float64
        assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize(
    ("replicas", "drops", "rows"),
    [(1, False, 2000), (100, False, 550), (100, True, 334), (1000, False, 250)],
)
def test_a_gpu_takes_fewer_images_at_a_time_the_more_replicas_there_are_and_a_cpu_always_as_many(replicas, drops, rows):
    """An image has 4 * (3 * 400 + 2 * 10) bytes, and another 4 * 784 where dropout changes its pixels."""
    linears = [
        SimpleNamespace(W=np.empty((replicas, *shape), np.float32)) for shape in ((400, 784), (300, 400), (10, 300))
    ]
    network = SimpleNamespace(linears=linears, dropout=SimpleNamespace(drops=drops))
    network.xp = "CuPy"
    assert evaluate.rows_per_pass(network) == rows
    network.xp = np
    assert evaluate.rows_per_pass(network) == 2000


def by_hand(network, images, replica, statistics_of, ddof=0):
    """The forward pass of one replica in float64, each layer normalised by the statistics of `statistics_of`."""
    x, population = images.astype(float), statistics_of.astype(float)
    for linear, norm in zip(list(network.linears)[:-1], network.norms, strict=True):
        weights, bias = linear.W.array[replica], linear.b.array[replica]
        x, population = (np.maximum(a @ weights.T + bias, 0) for a in (x, population))
        mean, std = population.mean(axis=0), np.sqrt(population.var(axis=0, ddof=ddof) + norm.eps[replica, 0, 0])
        gamma, beta = norm.affine.gamma.array[replica], norm.affine.beta.array[replica]
        x, population = ((a - mean) / std * gamma + beta for a in (x, population))
    return x @ network.linears[-1].W.array[replica].T + network.linears[-1].b.array[replica]


@pytest.mark.parametrize("statistics", ["batch", "population"])
@pytest.mark.parametrize("semantics", ["chainer", "paper"])
def test_statistics_are_the_evaluated_sets_own_or_the_training_sets(few, monkeypatch, statistics, semantics):
    monkeypatch.setattr(evaluate, "ROWS", 77)  # parts that do not divide the 300 images
    text = f"norm: {{kind: batch, semantics: {semantics}}}\nmodel: {{hidden: [8, 6]}}\ntraining: {{batch: 10, steps: 30}}\nevaluation: {{every: 30}}\nseeds: 2"
    network = trained(few, text)
    images, source = few.scaled("test"), few.scaled("test" if statistics == "batch" else "train")
    before = bits(network)
    with evaluate.statistics(network, statistics, few.scaled("train")), evaluate.inference():
        logits = network(images).array
    for replica in range(2):
        ddof = int(statistics == "population" and semantics == "chainer")  # Bessel: 300 / 299
        assert_allclose(logits[replica], by_hand(network, images, replica, source, ddof), rtol=1e-3, atol=1e-3)
    for name, value in bits(network).items():
        assert np.all(value == before[name]), name
    assert not any(norm.use_batch_statistics for norm in network.batch_norms)


def test_a_set_with_statistics_of_its_own_is_measured_at_once(few, monkeypatch):
    network, images, labels = trained(few), few.scaled("test"), few.labels("test")
    measured = []
    for rows in (2000, 7):
        monkeypatch.setattr(evaluate, "ROWS", rows)
        with evaluate.statistics(network, "batch", images):
            measured.append(np.stack(evaluate.measure(network, images, labels)))
    assert (measured[0] == measured[1]).all()


def test_statistics_are_put_back_even_after_an_error(few):
    network = trained(few)
    before = bits(network)

    def fail_within():
        with evaluate.statistics(network, "population", few.scaled("test")):
            assert any(np.any(value != before[name]) for name, value in bits(network).items())
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    for name, value in bits(network).items():
        assert np.all(value == before[name]), name
    assert not any(norm.use_batch_statistics for norm in network.batch_norms)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_average_of_the_weights_has_its_closed_form_and_is_evaluated(few, engine):
    text = "model: {hidden: [4]}\ntraining: {batch: 10, steps: 5}\nevaluation: {every: 5, average: 0.8}"
    training = loop.Training(trials_of(text, 300), few, engine=engine)
    name, parameter = next(iter(training.engine.replicas.network.namedparams()))
    start, seen = parameter.array.copy(), []
    for _ in range(5):
        advance(training, 1)
        assert training.engine.replicas  # up to date
        seen.append(parameter.array.copy())
    replicas = training.engine.replicas
    want = 0.8**5 * start + 0.2 * sum(0.8 ** (4 - i) * array for i, array in enumerate(seen))
    assert_allclose(replicas.average.arrays[name], want, rtol=1e-4, atol=1e-6)
    images, labels = few.scaled("test"), few.labels("test")
    with replicas.average.in_place():
        averaged, _ = evaluate.measure(replicas.network, images, labels)
    assert_allclose(training.engine.evaluate()["test_loss"], averaged, rtol=1e-6)
    assert abs(averaged - evaluate.measure(replicas.network, images, labels)[0]) > 1e-4


def test_inference_builds_no_graph(few):
    network = trained(few)
    with evaluate.inference():
        assert network(few.scaled("test")).creator is None
        assert F.sum(network(few.scaled("test"))).creator is None
