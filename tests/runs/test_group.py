"""A group of trials in training: its checkpoints, its time and its memory."""

import os
import signal

import numpy as np
import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.runs import group as groups
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.store import Store
from bnrenorm.training import loop
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, ENGINES, Clock
from tests.runs.runs import networks_alive, train


def test_columns_are_of_equal_length_though_the_first_record_has_no_diagnosis():
    columns = [{}]
    groups._append(columns, Record(0, 0.0, {"train_loss": np.ones(1)}, {}))
    groups._append(columns, Record(5, 0.5, {"train_loss": np.ones(1)}, {"layer1_r_50": np.full(1, 2.0)}))
    assert columns[0]["epoch"] == [0.0, 0.5]
    assert np.isnan(columns[0]["layer1_r_50"][0])
    assert columns[0]["layer1_r_50"][1] == 2
    groups._append(columns, Record(9, 0.9, {"train_loss": np.ones(1)}, {}))
    assert np.isnan(columns[0]["layer1_r_50"][2])


def test_a_trials_seconds_are_its_share_of_its_groups_time(few, store, monkeypatch):
    """A clock that gains 10 s with every record: the group of four takes 40 s, all but the first before it is asked."""
    clock = Clock()
    monkeypatch.setattr(groups.time, "monotonic", clock)
    results = train(COMPARED, few, store, report=lambda progress: clock.wait(10))
    assert [result.seconds for _, result in results] == [40 / 4] * 4


def test_the_checkpoints_of_a_group_go_once_all_of_its_results_are_stored(few, store, monkeypatch):
    """A kill in between costs no step."""
    monkeypatch.setattr(groups, "SAVE_EVERY", 0)
    left, real = [], store.write

    def write(*result):
        left.append(len(list(store.checkpoints.glob("*.json"))))
        real(*result)

    monkeypatch.setattr(store, "write", write)
    train(COMPARED, few, store)
    assert left == [2] * 4
    assert not list(store.checkpoints.iterdir())


def test_seconds_of_a_resumed_trial_contain_those_before_the_interrupt(few, store, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(groups.time, "monotonic", clock)

    def report(progress):
        clock.wait(10)
        if progress.record.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(COMPARED, few, store, report)
    clock.wait(1000)  # until somebody gives the command again
    results = train(COMPARED, few, store, report=lambda progress: clock.wait(6))
    assert [result.seconds for _, result in results] == [(30 + 6) / 4] * 4
    assert [result.records["step"] for _, result in results] == [[1, 2, 3, 4]] * 4


@pytest.mark.parametrize(("seconds", "saved"), [(60, 4), (30, 2), (1, 0)])
def test_a_checkpoint_is_saved_once_a_minute(few, store, monkeypatch, seconds, saved):
    clock, steps, real = Clock(), [], groups.Checkpoints.save
    monkeypatch.setattr(groups.time, "monotonic", clock)

    def save(self, checkpoint):
        steps.append(int(checkpoint.state["step"]))
        real(self, checkpoint)

    monkeypatch.setattr(groups.Checkpoints, "save", save)
    train(COMPARED, few, store, report=lambda progress: clock.wait(seconds))
    assert len(steps) == saved
    assert not list(store.checkpoints.iterdir())


AT_THE_START = """
name: a
data: {validation: 50}
model: {hidden: [8]}
training: {steps: 6, early_stopping: {patience: 1}}
evaluation: {training_set: true}
seeds: 2
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupt_at_step_0_counts_its_record_once(few, store, tmp_path, engine):
    """With early stopping, the record seen twice would have used up the patience: a trial of no step."""
    backend, whole = Backend(engine, "cpu"), Store(tmp_path / "whole")
    whole.prepare()
    want = [result.records for _, result in train(AT_THE_START, few, whole, backend=backend)]
    with pytest.raises(Interrupted):
        train(AT_THE_START, few, store, lambda progress: os.kill(os.getpid(), signal.SIGINT), backend=backend)
    assert not list(store.checkpoints.iterdir())
    results = train(AT_THE_START, few, store, backend=backend)
    np.testing.assert_equal([result.records for _, result in results], want)
    assert want[0]["step"][:2] == [0, 1]


def test_a_checkpoint_that_does_not_fit_is_no_obstacle(few, store, monkeypatch):
    """As one of another version of bnrenorm: the group starts afresh."""

    def report(progress):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(COMPARED, few, store, report)
    real = loop.Training.load_state_dict
    monkeypatch.setattr(
        loop.Training, "load_state_dict", lambda self, state: real(self, {**state, "something": np.zeros(3)})
    )
    notes = []
    for _, result in train(COMPARED, few, store, note=notes.append):
        assert result.records["step"] == [1, 2, 3, 4]
    (note,) = notes
    assert note.endswith(".step-000000000001.json is damaged or of another version: going on from step 0")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_groups_memory_is_free_before_the_next_begins(few, store, monkeypatch, engine):
    with networks_alive(monkeypatch, groups) as alive:
        train(COMPARED + "grid: {training.batch: [10, 20]}", few, store, backend=Backend(engine, "cpu"))
    assert alive == [0, 0]
