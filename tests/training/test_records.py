"""What is recorded of a training and kept of its network, and how a trial ends."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import F, chainer
from bnrenorm.training import loop
from bnrenorm.training.records import Record, final_record, outcome
from tests.helpers import ENGINES, curves, some_digits, trials_of


def test_evaluation_changes_nothing_and_every_record_is_due(digits):
    def run(every):
        text = (
            f"model: {{hidden: [20]}}\ntraining: {{steps: 10}}\nevaluation: {{every: {every}}}\nnorm: {{kind: renorm}}"
        )
        return {
            record.step: record.values["test_loss"][0]
            for record in loop.Training(trials_of(text, 2000), digits).records()
        }

    often, seldom = run(1), run(4)
    assert list(seldom) == [4, 8, 10]
    assert all(often[step] == loss for step, loss in seldom.items())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ("batch: 50, steps: 10", {3: 0.75, 6: 1.5, 9: 2.25, 10: 2.5}),  # 200 images to learn from: 4 steps an epoch
        ("batch: {kind: iid, size: 70, remainder: keep}, steps: 6", {3: 1.0, 6: 2.0}),
        ("batch: {kind: iid, size: 70}, steps: 6", {3: 1.5, 6: 3.0}),
        ("batch: full, steps: 4", {3: 3.0, 4: 4.0}),
    ],
)
def test_a_record_says_its_step_and_epoch(engine, settings, want):
    text = f"model: {{hidden: [5]}}\ndata: {{validation: 100}}\ntraining: {{{settings}}}\nevaluation: {{every: 3}}"
    records = loop.Training(trials_of(text, 300), some_digits(300, 50), engine=engine).records()
    assert {record.step: record.epoch for record in records} == want


@pytest.mark.parametrize("engine", ENGINES)
def test_training_loss_and_accuracy_are_means_over_the_steps_since_the_last_record(engine):
    def run(every):
        text = f"model: {{hidden: [8]}}\ntraining: {{batch: 20, steps: 10}}\nevaluation: {{every: {every}}}\nseeds: 2"
        return curves(loop.Training(trials_of(text, 300), some_digits(300, 50), engine=engine))[:, :2]

    every_step, seldom = run(1), run(4)
    want = [every_step[begin:end].mean(axis=0) for begin, end in ((0, 4), (4, 8), (8, 10))]
    assert_allclose(seldom, want, rtol=1e-6)
    assert np.ptp(every_step[:, 0], axis=0).min() > 0.01


@pytest.mark.parametrize("engine", ENGINES)
def test_the_training_set_is_recorded_before_the_first_step(engine):
    text = "model: {hidden: [8]}\ntraining: {batch: 20, steps: 2}\nevaluation: {every: 2, training_set: true}"
    data = some_digits(300, 50)
    training = loop.Training(trials_of(text, 300), data, engine=engine)
    network = training.engine.replicas.network
    with chainer.using_config("train", False):
        logits = network(data.scaled("train"))
        want = F.softmax_cross_entropy(logits[0], data.labels("train")).array
    records = [record for record in training if record is not None]
    assert [record.step for record in records] == [0, 2]
    assert records[0].values["train_loss"][0] == pytest.approx(want, rel=1e-5)
    with chainer.using_config("train", False):
        want = F.softmax_cross_entropy(network(data.scaled("train"))[0], data.labels("train")).array
    assert records[1].values["train_loss"][0] == pytest.approx(want, rel=1e-5)


def test_neither_accuracy_nor_what_the_normalisation_did_is_recorded_of_a_training_set_without_a_finite_loss():
    text = "model: {hidden: [8]}\ntraining: {batch: 20, steps: 2}\nevaluation: {every: 2, training_set: true}\nseeds: 2"
    training = loop.Training(trials_of(text, 300), some_digits(300, 50))
    evaluate = training.engine.evaluate
    training.engine.evaluate = lambda: evaluate() | {"train_loss": np.array([np.inf, 1.0])}
    *_, last = training.records()
    assert np.isnan(last.values["train_accuracy"]).tolist() == [True, False]
    assert last.diagnosis
    assert all(list(np.isnan(values)) == [True, False] for values in last.diagnosis.values())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("average", ["null", "0.9"])
def test_recorded_losses_may_contain_the_penalties_of_the_evaluated_weights(engine, average):
    def run(penalty):
        text = f"""
model: {{hidden: [8]}}
data: {{validation: 50}}
training: {{batch: 20, steps: 3, weight_decay: 0.1, l1_decay: 0.01}}
evaluation: {{every: 3, penalty: {penalty}, average: {average}}}
"""
        training = loop.Training(trials_of(text, 300), some_digits(300, 50), engine=engine)
        (record,) = [record for record in training if record is not None]
        return training, record.values

    (training, with_penalty), (_, without) = run("true"), run("false")
    replicas = training.engine.replicas
    with replicas.average.in_place():
        weights = [linear.W.array.astype(float) for linear in replicas.network.linears]
    want = sum(0.01 * abs(w).sum() + 0.05 * (w * w).sum() for w in weights)
    for name in ("train_loss", "test_loss", "validation_loss"):
        assert with_penalty[name][0] - without[name][0] == pytest.approx(want, rel=1e-5)
    assert with_penalty["test_accuracy"] == without["test_accuracy"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_accuracy_of_weights_that_are_no_numbers_is_no_measurement(digits, engine):
    """They predict the first class, which would be right for a tenth of the digits."""
    text = "model: {hidden: [20]}\nnorm: {kind: batch}\ntraining: {steps: 12, optimizer: {lr: 1.0e+20}}"
    group = trials_of(text, 2000)
    *_, last = loop.Training(group, digits, engine=engine)
    assert np.isnan([*last.values.values()]).all()


@pytest.mark.parametrize("rule", ["null", "{patience: 9}"])
@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_replica_whose_training_loss_is_not_finite_takes_no_more_steps(rule, loss):
    """Although early stopping would wait for it."""
    text = (
        f"model: {{hidden: [8]}}\ndata: {{validation: 50}}\ntraining: {{batch: 20, steps: 8, early_stopping: {rule}}}"
    )
    training = loop.Training(trials_of(f"{text}\nevaluation: {{every: 2}}\nseeds: 2", 300), some_digits(300, 50))
    training.engine.replicas.training_means = lambda: (np.array([loss, 1.0]), np.array([0.5, 0.5]))
    next(training.records())
    assert training.engine.idle.tolist() == [True, False]
    training.engine.replicas.training_means = lambda: (np.array([np.nan, loss]), np.array([0.5, 0.5]))
    assert [record.step for record in training.records()] == [4]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_replica_whose_training_set_has_an_infinite_loss_takes_no_more_steps(engine, monkeypatch):
    """Its own steps may have finite ones; what is kept for early stopping must not be of later steps than its records."""
    text = "data: {validation: 50}\ntraining: {batch: 20, steps: 8, early_stopping: {patience: 9}}\nseeds: 2\n"
    group = trials_of(f"{text}evaluation: {{every: 2, training_set: true}}", 300)
    training = loop.Training(group, some_digits(300, 50), engine=engine)
    evaluate, losses = training.engine.evaluate, iter([np.inf, 1.0, np.inf, 1.0, 1.0])
    monkeypatch.setattr(
        training.engine, "evaluate", lambda: {**evaluate(), "train_loss": np.array([next(losses), 1.0])}
    )
    idle = [training.engine.idle.tolist() for _ in training.records()]
    assert idle == [[False, False]] * 2 + [[True, False]] * 3


def test_zeros_have_no_sign_in_records(monkeypatch):
    """A sign would depend on how many companions NumPy clips along with it."""
    group = trials_of("model: {hidden: [5]}\ntraining: {batch: 20, steps: 1}", 300)
    training = loop.Training(group, some_digits(300, 50))
    monkeypatch.setattr(training.engine, "diagnosis", lambda: {"layer1_d_50": np.array([-0.0])})
    *_, record = (record for record in training if record is not None)
    assert not np.signbit(record.diagnosis["layer1_d_50"]).any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("semantics", ["chainer", "paper"])
def test_what_is_kept_predicts_what_was_recorded(engine, semantics):
    """By the formula of docs/outputs.md."""
    text = f"norm: {{kind: renorm, semantics: {semantics}, eps: 0.01}}\nevaluation: {{parameters: true}}\nseeds: 2"
    group = trials_of(f"model: {{hidden: [20]}}\ntraining: {{batch: 20, steps: 30}}\n{text}", 300)
    data = some_digits(300, 100)
    training = loop.Training(group, data, engine=engine)
    *_, last = (record for record in training if record is not None)
    x = data.x_test.reshape(100, -1) / np.float32(255)
    for replica, kept in enumerate(training.parameters()):
        y = np.maximum(x @ kept["linears/0/W"].T + kept["linears/0/b"], 0)
        scale = kept["norms/0/run_scale"]
        std = np.sqrt(scale + 0.01) if semantics == "chainer" else scale
        y = kept["norms/0/affine/gamma"] * (y - kept["norms/0/run_mean"]) / std + kept["norms/0/affine/beta"]
        for name in ("gamma", "beta"):
            assert last.diagnosis[f"layer1_{name}"][replica] == pytest.approx(
                kept[f"norms/0/affine/{name}"].mean(), rel=1e-5
            )
        answers = (y @ kept["linears/1/W"].T + kept["linears/1/b"]).argmax(axis=1)
        assert (answers == data.y_test).mean() == pytest.approx(last.values["test_accuracy"][replica], abs=0.011)


def test_parameters_are_returned_where_they_are_to_be_kept():
    text = "model: {hidden: [5]}\ntraining: {batch: 20, steps: 1}\nseeds: 2\nevaluation: {parameters: %s}"
    data = some_digits(300, 50)
    for group in (trials_of(text % "true", 300), trials_of(text % "false", 300)):
        training = loop.Training(group, data)
        list(training)
        found = training.parameters()
        if group[0].settings.evaluation.parameters:
            network = training.engine.replicas.network
            for replica, arrays in enumerate(found):
                assert (arrays["linears/0/W"] == network.linears[0].W.array[replica]).all()
                assert arrays["norms/0/affine/gamma"].shape == (1, 5)
        else:
            assert found == [{}, {}]


@pytest.mark.parametrize("name", ["train_loss", "test_loss", "validation_loss"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_trial_has_diverged_if_any_loss_of_its_final_weights_is_not_finite(name, value):
    records = {"step": [1, 2], "train_loss": [2.0, 1.0], "test_loss": [2.0, 1.0], "validation_loss": [1.0, 2.0]}
    assert outcome(records, None) == "finished"
    records[name][-1] = value
    assert outcome(records, None) == "diverged"
    assert outcome(records, "loss") == "finished", "it goes back to the first record"


def test_the_record_before_the_first_step_is_not_that_of_the_final_weights():
    losses = {"step": [0, 4, 8], "validation_loss": [1.0, 2.0, 3.0]}
    assert final_record(losses, "loss") == 1
    assert final_record(losses | {"validation_loss": [1.0, np.nan, np.nan]}, "loss") == 2
    assert final_record(losses | {"validation_loss": [1.0, np.inf, np.inf]}, "loss") == 2
    assert outcome(losses | {"validation_loss": [1.0, np.inf, np.inf]}, "loss") == "diverged"


@pytest.mark.parametrize(("watch", "values"), [("loss", [3.0, 1.0, 2.0]), ("accuracy", [0.1, 0.9, 0.8])])
def test_the_final_weights_are_the_best_on_validation_that_were_measured(watch, values):
    def final(*watched, watch=watch):
        return final_record({"step": [1, 2, 3], f"validation_{watch or 'loss'}": list(watched)}, watch)

    assert final(*values) == 1
    assert final(np.nan, *values[1:]) == 1
    assert final(np.nan, np.nan, np.nan) == 2
    assert final(*values, watch=None) == 2


def test_a_replica_without_a_finite_loss_has_diverged_unless_it_stopped_or_was_not_trained_yet():
    losses, stopped = np.array([1.0, np.nan, np.inf, np.nan]), np.array([0.0, 0.0, 0.0, 1.0])
    assert Record(3, 1.0, {"train_loss": losses}, {"stopped": stopped}).diverged.tolist() == [False, True, True, False]
    assert Record(3, 1.0, {"train_loss": losses}).diverged.tolist() == [False, True, True, True]
    assert not Record(0, 0.0, {"train_loss": losses}).diverged.any()
