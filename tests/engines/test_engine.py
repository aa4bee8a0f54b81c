"""What every engine promises (`engines.engine`), whatever computes its numbers."""

import dataclasses

import numpy as np
import pytest

from bnrenorm._compat import F, L, chainer
from tests.engines.groups import (
    ALL_ENGINES,
    FULL,
    SMALL,
    advance,
    assert_same_bits,
    coarse_digits,
    group,
    records,
    training_of,
)
from tests.helpers import ENGINES, batch_at, some_digits

pytestmark = pytest.mark.parametrize("engine", ALL_ENGINES)


@pytest.fixture
def digits(engine):
    """Of few pixels for the CUDA engine, whose kernels do not depend on how many are black."""
    return some_digits(500, 100) if engine in ENGINES else coarse_digits()


def assert_equal(engine, got, want):
    """Compare two numbers of a replica in different company: bit for bit, on a GPU to 1e-5.

    cuBLAS chooses how it computes batched products by the whole problem's size, the number of replicas included.
    """
    assert got == (pytest.approx(want, rel=1e-5) if engine == "cuda" else want)


@pytest.mark.parametrize("average", ["null", "0.9"])
@pytest.mark.parametrize("batch", [SMALL, FULL])
@pytest.mark.parametrize("statistics", ["running", "batch", "population"])
@pytest.mark.slow
def test_evaluating_after_every_step_changes_no_bit_of_the_training(digits, engine, statistics, batch, average):
    settings = {"evaluation__statistics": statistics, "evaluation__average": average, "evaluation__training_set": True}
    trials = group("norm: {kind: renorm, r_max: 1.5, d_max: 0.5}", batch, data__validation=60, **settings)
    evaluated, left_alone = (training_of(trials, digits, engine) for _ in range(2))
    for _ in range(5):
        advance(evaluated, 1)
        evaluated.engine.evaluate()
        advance(left_alone, 1)
    assert_same_bits(evaluated.state_dict(), left_alone.state_dict())


@pytest.mark.parametrize("statistics", ["running", "batch", "population"])
def test_evaluating_twice_is_evaluating_once(digits, engine, statistics):
    training = training_of(group("norm: {kind: batch}", evaluation__statistics=statistics), digits, engine)
    advance(training, 2)
    first, second = training.engine.evaluate(), training.engine.evaluate()
    assert_same_bits(second, first)
    assert training.engine.replicas  # which an engine may bring up to date only here
    assert_same_bits(training.engine.evaluate(), first)


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_observing_a_step_changes_no_bit_of_the_training(digits, engine, batch):
    observed, left_alone = (training_of(group("norm: {kind: renorm}", batch), digits, engine) for _ in range(2))
    for _ in range(3):
        observed.engine.advance(observed.step, 1, observe=True)
        observed.step += 1
    advance(left_alone, 3)
    assert_same_bits(observed.state_dict(), left_alone.state_dict())


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_the_diagnosis_is_of_the_last_observed_step(digits, engine, batch):
    training = training_of(group("norm: {kind: renorm}", batch), digits, engine)
    advance(training, 1)
    assert training.engine.diagnosis() == {}
    training.engine.advance(1, 2, observe=True)
    training.step = 3
    of_third = training.engine.diagnosis()
    advance(training, 2)
    assert_same_bits(training.engine.diagnosis(), of_third)
    third_alone = training_of(group("norm: {kind: renorm}", batch), digits, engine)
    advance(third_alone, 2)
    third_alone.engine.advance(2, 1, observe=True)
    assert_same_bits(third_alone.engine.diagnosis(), of_third)


@pytest.mark.parametrize("batch", ["{kind: iid, size: 7, remainder: keep}", FULL])
@pytest.mark.parametrize("norm", ["renorm", "none"])
@pytest.mark.slow
def test_company_changes_no_bit(digits, engine, batch, norm):
    more = {"training__steps": 6, "evaluation__every": 3, "grid": "{training.optimizer.lr: [0.01, 0.1]}"}
    trials = group(f"norm: {{kind: {norm}}}", batch, **more)
    together = records(trials, digits, engine)
    for replica, trial in enumerate(trials):
        for (values, _), (alone, _) in zip(together, records([trial], digits, engine), strict=True):
            for name in values:
                assert_equal(engine, values[name][replica], alone[name][0])


@pytest.mark.parametrize("batch", ["{kind: iid, size: 7, remainder: keep}", FULL])
@pytest.mark.parametrize("norm", ["renorm", "none"])
@pytest.mark.slow
def test_the_frequency_of_records_changes_no_bit(digits, engine, batch, norm):
    steps = 9 if batch == FULL else 25  # of which many leave a pixel black
    often, seldom = (
        records(group(f"norm: {{kind: {norm}}}", batch, training__steps=steps, evaluation__every=n), digits, engine)
        for n in (1, steps)
    )
    assert (often[-1][0]["test_loss"] == seldom[-1][0]["test_loss"]).all()


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_a_replica_that_diverges_leaves_the_others_untouched(digits, engine, batch):
    base = {"training__steps": 12, "evaluation__every": 12}
    (_, healthy) = group("norm: {kind: batch}", batch, **base)
    variants = "{A: {}, B: {training: {optimizer: {lr: 1.0e+20}}}}"
    together = records(group("norm: {kind: batch}", batch, **base, variants=variants), digits, engine)[-1][0]
    assert_equal(engine, together["test_loss"][1], records([healthy], digits, engine)[-1][0]["test_loss"][0])
    assert not np.isfinite(together["train_loss"][2:]).any()


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_a_resumed_training_has_the_same_bits(digits, engine, batch):
    trials = group("norm: {kind: renorm}", batch, training__steps=8, evaluation__every=2)
    whole, before, resumed = (training_of(trials, digits, engine) for _ in range(3))
    want = [record for record in whole if record is not None]
    for record in before:
        if record is not None and record.step == 4:
            break
    resumed.load_state_dict(before.state_dict())
    rest = [record for record in resumed if record is not None]
    for got, expected in zip(rest, want[2:], strict=True):
        assert_same_bits(got.values, expected.values)
    assert_same_bits(resumed.state_dict(), whole.state_dict())


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_what_is_written_to_the_replicas_is_trained_after_reload(digits, engine, batch):
    trials = group("norm: {kind: batch}", batch)
    changed, fresh = (training_of(trials, digits, engine) for _ in range(2))
    start = fresh.state_dict()
    advance(changed, 2)
    changed.engine.idle[0] = True
    changed.engine.replicas.load_state_dict({key: value for key, value in start.items() if key not in ("step", "done")})
    changed.engine.reload()
    assert not changed.engine.idle.any()
    changed.step = 0
    for training in (changed, fresh):
        advance(training, 2)
    assert_same_bits(changed.state_dict(), fresh.state_dict())


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_the_sums_are_those_of_every_step(digits, engine, batch):
    at_once, one_by_one = (training_of(group("norm: {kind: batch}", batch), digits, engine) for _ in range(2))
    advance(at_once, 4)
    means = []
    for _ in range(4):
        advance(one_by_one, 1)
        means.append(one_by_one.engine.replicas.training_means())
    loss, accuracy = at_once.engine.replicas.training_means()
    np.testing.assert_allclose(loss, np.mean([step[0] for step in means], axis=0), rtol=1e-12)
    np.testing.assert_allclose(accuracy, np.mean([step[1] for step in means], axis=0), rtol=1e-12)


@pytest.mark.parametrize("order", ["linear-activation-norm", "linear-norm-activation"])
@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_relu_has_no_slope_at_0_so_that_black_images_teach_the_output_layer_alone(digits, engine, batch, order):
    black = dataclasses.replace(digits, x_train=0 * digits.x_train)
    training = training_of(group(f"norm: {{kind: none}}\nmodel.order: {order}", batch), black, engine)
    advance(training, 2)
    biases = [bool(linear.b.array.any()) for linear in training.engine.replicas.network.linears]
    assert biases == [False, False, True]


class Stock(chainer.Chain):
    """The first article's network, of Chainer's own links."""

    def __init__(self, network, norms):
        super().__init__()
        with self.init_scope():
            self.linears = chainer.ChainList(
                *(
                    L.Linear(None, linear.W.shape[1], initialW=chainer.cuda.to_cpu(linear.W.array[0]))
                    for linear in network.linears
                )
            )
            self.norms = chainer.ChainList(*norms)

    def forward(self, x):
        for linear, norm in zip(list(self.linears)[:-1], self.norms, strict=True):
            x = norm(F.relu(linear(x)))
        return self.linears[-1](x)


STOCK = {
    "momentum_sgd": lambda: chainer.optimizers.MomentumSGD(lr=0.05, momentum=0.9),
    "adam": lambda: chainer.optimizers.Adam(alpha=0.01, eps=1e-3),
}


@pytest.mark.parametrize("optimizer", STOCK)
@pytest.mark.parametrize("batch", [SMALL, FULL])
@pytest.mark.parametrize("norm", ["batch", "renorm"])
def test_two_steps_are_stock_chainers(digits, engine, norm, batch, optimizer):
    """With limits of r and d that clip some nodes. In float32 more steps part ways, where a ReLU's input is near 0."""
    limits = ", r_max: 1.2, d_max: 0.3" if norm == "renorm" else ""
    eps = ", eps: 0.001" if optimizer == "adam" else ""
    settings = (
        f"norm: {{kind: {norm}{limits}}}\ntraining.optimizer: {{kind: {optimizer}, lr: {0.01 if eps else 0.05}{eps}}}"
    )
    training = training_of(group(settings, batch, seeds=1), digits, engine)
    inputs, network = training.engine.inputs, training.engine.replicas.network
    images, labels = (chainer.cuda.to_cpu(array) for array in (inputs.images, inputs.labels))
    links = {
        "batch": lambda width: L.BatchNormalization(width),
        "renorm": lambda width: L.BatchRenormalization(width, rmax=1.2, dmax=0.3),
    }
    stock = Stock(network, [links[norm](width) for width in (30, 20)])
    with chainer.using_config("train", False):
        stock(images[:1])  # makes the parameters of links whose width was left open
    rule = STOCK[optimizer]().setup(stock)
    losses = []
    for step in range(2):
        indices = batch_at(inputs.sampler, 0, step)
        with chainer.using_config("train", True):
            loss = F.softmax_cross_entropy(stock(images[indices]), labels[indices])
            stock.cleargrads()
            loss.backward()
            rule.update()
        losses.append(float(loss.array))
    advance(training, 2)
    network = training.engine.replicas.network
    mean_loss, _ = training.engine.replicas.training_means()
    assert mean_loss[0] == pytest.approx(np.mean(losses), rel=1e-5)
    pairs = [(ours.W.array[0], theirs.W.array) for ours, theirs in zip(network.linears, stock.linears, strict=True)]
    for ours, theirs in zip(network.norms, stock.norms, strict=True):
        pairs += [
            (ours.affine.gamma.array[0, 0], theirs.gamma.array),
            (ours.affine.beta.array[0, 0], theirs.beta.array),
            (ours.run_mean[0, 0], theirs.avg_mean),
            (ours.run_scale[0, 0], theirs.avg_var),
        ]
    for got, want in pairs:
        np.testing.assert_allclose(chainer.cuda.to_cpu(got), want, rtol=1e-4, atol=1e-4 * np.abs(want).max())
