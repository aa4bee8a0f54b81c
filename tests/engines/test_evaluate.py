import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.engines import evaluate
from bnrenorm.training import loop
from tests import oracle
from tests.conftest import some_digits


@pytest.fixture(scope="module")
def few():
    return some_digits(300, 120)


def trials(text, images=300):
    return build(document.parse(f"name: a\n{text}", "x.yaml")).trials(images)


def trained(few, text="model: {hidden: [8, 6]}\ntraining: {batch: 10, steps: 30}\nseeds: 2"):
    training = loop.Training(trials(text), few)
    for _ in training:
        pass
    return training


def bits(network):
    found = {name: parameter.array.copy() for name, parameter in network.namedparams()}
    for i, norm in enumerate(network.batch_norms):
        found |= {f"{i}mean": norm.run_mean.copy(), f"{i}scale": norm.run_scale.copy(), f"{i}step": norm.step}
    return found


def test_loss_and_accuracy_are_the_oracles_for_shared_and_own_labels(rng):
    logits = rng.normal(size=(2, 5, 3)).astype(np.float32)
    labels = rng.integers(0, 3, (2, 5)).astype(np.int32)
    loss, accuracy = evaluate.loss_and_accuracy(chainer.Variable(logits), labels)
    shared, _ = evaluate.loss_and_accuracy(chainer.Variable(logits), labels[0])
    for i in range(2):
        own = [oracle.cross_entropy([float(v) for v in row], t) for row, t in zip(logits[i], labels[i], strict=True)]
        first = [oracle.cross_entropy([float(v) for v in row], t) for row, t in zip(logits[i], labels[0], strict=True)]
        assert loss.array[i] == pytest.approx(np.mean(own), rel=1e-5)
        assert shared.array[i] == pytest.approx(np.mean(first), rel=1e-5)
        assert accuracy[i] == np.mean(logits[i].argmax(axis=1) == labels[i])


def test_a_set_is_measured_in_parts_as_if_at_once(few, monkeypatch):
    network = trained(few).network
    images, labels = few.scaled("test"), few.labels("test")
    whole = evaluate.measure(network, images, labels)
    monkeypatch.setattr(evaluate, "ROWS", 7)
    for got, want in zip(evaluate.measure(network, images, labels), whole, strict=True):
        assert_allclose(got, want, rtol=1e-6)


def by_hand(network, images, replica, statistics_of):
    """The forward pass of one replica in float64, each layer normalised by the statistics of `statistics_of`."""
    x, population = images.astype(float), statistics_of.astype(float)
    for linear, norm in zip(list(network.linears)[:-1], network.norms, strict=True):
        weights, bias = linear.W.array[replica], linear.b.array[replica]
        x, population = (np.maximum(a @ weights.T + bias, 0) for a in (x, population))
        mean, std = population.mean(axis=0), np.sqrt(population.var(axis=0) + norm.eps[replica, 0, 0])
        gamma, beta = norm.affine.gamma.array[replica], norm.affine.beta.array[replica]
        x, population = ((a - mean) / std * gamma + beta for a in (x, population))
    return x @ network.linears[-1].W.array[replica].T + network.linears[-1].b.array[replica]


@pytest.mark.parametrize("statistics", ["batch", "population"])
@pytest.mark.parametrize("semantics", ["chainer", "paper"])
def test_statistics_are_the_evaluated_sets_own_or_the_training_sets(few, monkeypatch, statistics, semantics):
    monkeypatch.setattr(evaluate, "ROWS", 77)  # parts that do not divide the 300 images
    text = f"norm: {{kind: batch, semantics: {semantics}}}\nmodel: {{hidden: [8, 6]}}\ntraining: {{batch: 10, steps: 30}}\nseeds: 2"
    network = trained(few, text).network
    images, source = few.scaled("test"), few.scaled("test" if statistics == "batch" else "train")
    before = bits(network)
    with evaluate.judged_by(network, statistics, few.scaled("train")), evaluate.inference():
        logits = network(images).array
    for replica in range(2):
        tolerance = 0.02 if statistics == "population" and semantics == "chainer" else 1e-3  # Bessel: 300 / 299
        assert_allclose(logits[replica], by_hand(network, images, replica, source), rtol=tolerance, atol=tolerance)
    for name, value in bits(network).items():
        assert np.all(value == before[name]), name


def test_evaluating_more_often_changes_no_later_bit(few):
    def weights(extra):
        text = (
            f"model: {{hidden: [8]}}\nnorm: {{kind: renorm}}\ntraining: {{batch: 10, steps: 40}}\nevaluation: {extra}"
        )
        return bits(trained(few, text).network)

    want = weights("{every: 40}")
    for extra in (
        "{every: 1}",
        "{every: 7, statistics: population}",
        "{every: 3, average: 0.9}",
        "{every: 5, statistics: batch}",
    ):
        for name, value in weights(extra).items():
            assert np.all(value == want[name]), (extra, name)


def test_the_average_of_the_weights_has_its_closed_form_and_is_what_is_judged(few):
    text = "model: {hidden: [4]}\ntraining: {batch: 10, steps: 5}\nevaluation: {every: 5, average: 0.8}"
    training = loop.Training(trials(text), few)
    name, parameter = next(iter(training.network.namedparams()))
    start, seen = parameter.array.copy(), []
    records = []
    for record in training:
        records.append(record)
        seen.append(parameter.array.copy())
    want = 0.8**5 * start + 0.2 * sum(0.8 ** (4 - i) * array for i, array in enumerate(seen))
    assert_allclose(training.average.arrays[name], want, rtol=1e-4, atol=1e-6)
    with training.network.parameters_in_place(training.average.arrays):
        judged = evaluate.measure(training.network, few.scaled("test"), few.labels("test"))
    assert records[-1] is not None
    assert records[-1].values["test_loss"] == judged[0]
    assert judged[0] != evaluate.measure(training.network, few.scaled("test"), few.labels("test"))[0]


def test_a_validation_split_is_kept_apart_and_measured(few):
    text = "model: {hidden: [4]}\ntraining: {batch: 10, steps: 5}\ndata: {validation: 100}"
    training = loop.Training(trials(text), few)
    assert len(training.images) == 200
    records = [record for record in training if record is not None]
    (learning, labels), (kept, kept_labels) = few.split(100)
    together = np.concatenate([np.c_[learning, labels], np.c_[kept, kept_labels]])
    everything = np.c_[few.scaled("train"), few.labels("train")]
    assert (np.sort(together, axis=0) == np.sort(everything, axis=0)).all()
    loss, _ = evaluate.measure(training.network, kept, kept_labels)
    assert records[-1].values["validation_loss"] == loss


def test_inference_builds_no_graph(few):
    network = trained(few).network
    with evaluate.inference():
        assert network(few.scaled("test")).creator is None
        assert F.sum(network(few.scaled("test"))).creator is None
