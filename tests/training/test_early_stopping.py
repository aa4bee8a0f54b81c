"""Early stopping: patience, the best weights, and a resume in the middle of it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import bnrenorm
from bnrenorm._compat import L
from bnrenorm.errors import InputError
from bnrenorm.norm import registry
from bnrenorm.training import loop
from bnrenorm.training.early_stopping import EarlyStopping
from bnrenorm.training.records import outcome
from tests.helpers import ENGINES, experiment_of, some_digits

TEXT = """
name: a
data: {validation: 100}
model: {hidden: [20]}
norm: {kind: batch}
training: {batch: {kind: iid, size: 50}, steps: 60, optimizer: {lr: 0.3}, early_stopping: {patience: 2, watch: loss}}
evaluation: {every: 4, parameters: true}
seeds: 3
"""


@pytest.fixture(scope="module")
def digits():
    return some_digits(500, 100)


def group(text=TEXT):
    return experiment_of(text).trials(500)


def values(*losses):
    return {"validation_loss": np.array(losses), "validation_accuracy": 1 - np.array(losses)}


@pytest.mark.parametrize("watch", ["loss", "accuracy"])
def test_patience_counts_records_without_a_better_one_for_each_replica(watch):
    stopping = EarlyStopping(group(TEXT.replace("watch: loss", f"watch: {watch}")))
    better = [stopping.update(values(*losses)).tolist() for losses in [(3, 3, 3), (2, 4, np.nan), (1, 3, 1), (1, 1, 1)]]
    assert better == [[True, True, True], [True, False, False], [True, False, True], [False, False, False]]
    assert list(stopping.stopped) == [False, True, False]  # equal is not better, nor is what comes after the end
    assert stopping.waited.tolist() == [1, 2, 1]


def test_each_replica_has_a_patience_and_watches_a_value_of_its_own():
    rules = ["{patience: 2, watch: loss}", "{patience: 1, watch: loss}", "{patience: 2, watch: accuracy}"]
    variants = ", ".join(f"V{i}: {{training: {{early_stopping: {rule}}}}}" for i, rule in enumerate(rules))
    stopping = EarlyStopping(group(TEXT.replace("seeds: 3", f"variants: {{{variants}}}")))
    for loss, accuracy in [(3, 0.5), (4, 0.6), (5, 0.7)]:
        stopping.update({"validation_loss": np.full(3, loss), "validation_accuracy": np.full(3, accuracy)})
        assert (stopping.waited <= stopping.patience).all()
    assert stopping.waited.tolist() == [2, 1, 0]
    assert stopping.stopped.tolist() == [True, True, False]


def test_a_state_taken_in_the_middle_goes_on_as_if_nothing_had_happened():
    losses = [(3, 3, 3), (2, 4, 5), (4, 3, 1), (1, 1, 2)]
    whole, first, second = (EarlyStopping(group()) for _ in range(3))
    want = [whole.update(values(*each)).tolist() for each in losses]
    got = [first.update(values(*each)).tolist() for each in losses[:2]]
    state = first.state_dict()
    first.update(values(0, 0, 0))  # what was handed out is a copy
    second.load_state_dict(state)
    got += [second.update(values(*each)).tolist() for each in losses[2:]]
    assert got == want
    second.load_state_dict(state)  # which is as it was, and may serve once more
    assert [second.update(values(*each)).tolist() for each in losses[2:]] == want[2:]


@pytest.mark.parametrize("engine", ENGINES)
def test_replicas_go_back_to_what_was_kept_of_each(digits, engine):
    trials = group(TEXT.replace("parameters: true", "average: 0.5"))
    replicas = loop.Training(trials, digits, engine=engine).engine.replicas
    arrays = replicas._trained()
    assert {name.rpartition("/")[2] for name in arrays} == {"W", "b", "gamma", "beta", "run_mean", "run_scale"}
    for mark, better in enumerate([[True, True, True], [True, False, False], [False, True, False], [False] * 3], 1):
        for array in arrays.values():
            array[...] = mark
        replicas.keep_best(np.array(better))
    replicas.rewind_to_best()
    for name, array in replicas._trained().items():
        assert [set(np.unique(one)) for one in array] == [{2}, {3}, {1}], name


def test_links_of_a_users_own_go_back_each_with_its_replica(digits, monkeypatch):
    """Also what they keep besides parameters: stock Chainer's running averages."""
    monkeypatch.setattr(registry, "_registered", {})
    bnrenorm.register_norm("stock", L.BatchNormalization)
    text = TEXT.replace("{kind: batch}", "{kind: custom, name: stock}")
    replicas = loop.Training(group(text), digits).engine.replicas
    links = list(replicas.network.norms[0])
    for mark, better in [(1, [True, True, True]), (2, [False, True, False]), (3, [False] * 3)]:
        for link in links:
            link.gamma.array[...] = link.avg_mean[...] = mark
        replicas.keep_best(np.array(better))
    replicas.rewind_to_best()
    assert [(link.gamma.array[0], link.avg_mean[0]) for link in links] == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("average", ["null", "0.5"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_it_ends_with_the_weights_that_were_best(digits, engine, average):
    text = TEXT.replace("parameters: true", f"parameters: true, average: {average}")
    training = loop.Training(group(text), digits, engine=engine)
    records = [record for record in training if record is not None]
    assert records[-1].step < 60
    losses = np.array([record.values["validation_loss"] for record in records])
    stopped = np.array([record.diagnosis["stopped"] for record in records])
    assert stopped[-1].all()
    ends = stopped.argmax(axis=0)
    for replica, end in enumerate(ends):
        assert losses[: end + 1, replica].argmin() == end - 2  # patience 2
    now = training.engine.evaluate()["validation_loss"]
    assert_allclose(now, [losses[: end + 1, i].min() for i, end in enumerate(ends)], rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_a_resume_changes_no_bit(digits, engine):
    whole, first, second = (loop.Training(group(), digits, engine=engine) for _ in range(3))
    records = [record for record in whole if record is not None]
    early = []
    for record in first:
        early += [record] if record is not None else []
        if first.step >= 18:
            break
    second.load_state_dict(first.state_dict())
    late = [record for record in second if record is not None]
    assert [record.step for record in early + late] == [record.step for record in records]
    ends = [int(np.argmax([record.diagnosis["stopped"][i] for record in records])) for i in range(3)]
    for i, end in enumerate(ends):  # what comes after a replica has stopped means nothing
        for got, want in zip((early + late)[: end + 1], records[: end + 1], strict=True):
            assert all(got.values[name][i] == want.values[name][i] for name in want.values)
    for mine, others in zip(second.parameters(), whole.parameters(), strict=True):
        assert mine.keys() == others.keys()
        assert all((mine[name] == others[name]).all() for name in others)


def test_without_a_validation_split_it_is_refused():
    with pytest.raises(InputError, match=r"x.yaml:6: training.early_stopping needs a validation split"):
        group(TEXT.replace("validation: 100", "validation: 0"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("watch", ["loss", "accuracy"])
def test_weights_that_are_no_numbers_never_are_the_best(digits, engine, watch):
    """They predict the first class, which most of the images are of."""
    labels = np.where(np.arange(500) % 10, 0, digits.y_train).astype(np.uint8)
    text = (
        TEXT.replace("lr: 0.3", "lr: 1.0e+20").replace("watch: loss", f"watch: {watch}").replace("every: 4", "every: 1")
    )
    training = loop.Training(group(text), replace(digits, y_train=labels), engine=engine)
    *_, last = (record for record in training if record is not None)
    assert not np.isfinite(last.values["validation_loss"]).any()
    for parameters in training.parameters():
        assert all(np.isfinite(array).all() for array in parameters.values())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_resume_leaves_replicas_alone_that_have_stopped(digits, engine):
    first, second = (loop.Training(group(), digits, engine=engine) for _ in range(2))
    state = {**first.state_dict(), "done": np.array([False, True, False])}
    second.load_state_dict(state)
    assert list(second.engine.idle) == [False, True, False]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_record_before_the_first_step_costs_no_patience(digits, engine):
    """Even if its loss is no number: the first step may bring the first one."""
    text = TEXT.replace("every: 4", "every: 4, training_set: true").replace("patience: 2", "patience: 1")
    training = loop.Training(group(text), digits, engine=engine)
    for linear in training.engine.replicas.network.linears:
        linear.W.array[1] = np.nan
    training.engine.reload()
    record = next(iter(training))
    assert record.step == 0
    assert np.isnan(record.values["validation_loss"]).tolist() == [False, True, False]
    assert training.early_stopping.waited.tolist() == [0, 0, 0]
    assert not training.early_stopping.stopped.any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("training_set", ["false", "true"])
def test_untrained_weights_are_no_result_even_if_training_only_damages_them(digits, engine, training_set):
    """Variants that diverge in their first step would all end with the same weights, and be equivalent."""
    text = TEXT.replace("lr: 0.3", "lr: 1.0e+20").replace("every: 4", f"every: 4, training_set: {training_set}")
    records = list(loop.Training(group(text), digits, engine=engine).records())
    assert (records[0].step == 0) is (training_set == "true")
    for i in range(3):
        columns = {name: [record.values[name][i] for record in records] for name in records[0].values}
        assert outcome(columns | {"step": [record.step for record in records]}, "loss") == "diverged"
