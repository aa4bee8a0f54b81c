"""A group's state is taken apart: its replicas go on in other groups with the same bits."""

import numpy as np
import pytest

import bnrenorm
from bnrenorm._compat import L
from bnrenorm.norm import registry
from bnrenorm.training import loop
from bnrenorm.training.state import select
from tests.engines.groups import assert_same_bits
from tests.helpers import ENGINES, some_digits, trials_of

TEXT = """
model: {hidden: [8, 6]}
norm: NORM
data: {validation: 50}
training: {batch: 20, steps: 12, optimizer: {kind: adam, lr: 0.01}, early_stopping: {patience: 2}}
evaluation: {every: 2, average: 0.9, parameters: true}
seeds: 4
"""


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 60)


def trained(trials, few, engine, state=None, records=10**6):
    training = loop.Training(trials, few, engine=engine)
    if state is not None:
        training.load_state_dict(state)
    for record in training:
        records -= record is not None
        if not records:
            break
    return training


@pytest.mark.parametrize(
    ("engine", "norm"),
    [*((engine, "{kind: renorm}") for engine in ENGINES), ("chainer", "{kind: custom, name: stock}")],
)
@pytest.mark.parametrize("replicas", [[2], [3, 1], [0, 1, 2, 3]])
def test_some_replicas_go_on_as_they_would_have_with_the_others(monkeypatch, few, engine, norm, replicas):
    monkeypatch.setattr(registry, "_registered", {})
    bnrenorm.register_norm("stock", L.BatchNormalization)
    trials = trials_of(TEXT.replace("NORM", norm), 200)
    halfway = trained(trials, few, engine, records=3).state_dict()
    own = [trials[replica] for replica in replicas]
    end = trained(own, few, engine, select(halfway, replicas))
    whole = trained(trials, few, engine, halfway)
    stopped = whole.early_stopping.stopped[replicas]
    want = select(whole.state_dict(), replicas)
    if not stopped.any():  # otherwise the counters differ: a group ends when all of its replicas have
        assert_same_bits(end.state_dict(), want)
    for mine, replica in zip(end.parameters(), replicas, strict=True):
        others = whole.parameters()[replica]
        assert mine.keys() == others.keys()
        assert len(mine) == 14
        assert all((mine[name] == others[name]).all() for name in mine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_training_that_has_gone_on_goes_back_to_the_state_that_it_is_given(few, engine):
    """From there it takes the same steps again, and records no step a second time."""
    text = TEXT.replace("NORM", "{kind: renorm}").replace("every: 2", "every: 2, training_set: true")
    training = loop.Training(trials_of(text.replace(", early_stopping: {patience: 2}", ""), 200), few, engine=engine)
    records = (record for record in training if record is not None)
    assert [next(records).step for _ in range(3)] == [0, 2, 4]
    state = {name: value.copy() for name, value in training.state_dict().items()}
    want = [record.values for record in records]
    end = training.state_dict()
    training.load_state_dict(state)
    again = [record for record in training if record is not None]
    assert [record.step for record in again] == [6, 8, 10, 12]
    for record, values in zip(again, want, strict=True):
        assert_same_bits(record.values, values)
    assert_same_bits(training.state_dict(), end)


def test_arrays_of_a_users_own_links_are_renumbered_and_counters_are_shared():
    state = {
        "step": np.array(7),
        "weights/linears/0/W": np.arange(6).reshape(3, 2),
        "best/average/norms/1/2/gamma": np.array([1.0, 2.0]),
        "kept/norms/1/0/N": np.array(5),
        "kept/norms/0/step": np.array(9),
        "kept/norms/0/run_mean": np.arange(3).reshape(3, 1, 1),
    }
    selected = select(state, [2, 1])
    assert {name: value.tolist() for name, value in selected.items()} == {
        "step": 7,
        "weights/linears/0/W": [[4, 5], [2, 3]],
        "best/average/norms/1/0/gamma": [1, 2],
        "kept/norms/0/step": 9,
        "kept/norms/0/run_mean": [[[2]], [[1]]],
    }
