import gc
import weakref

import numpy as np
import pytest

from bnrenorm.runs import plan
from bnrenorm.runs import runner
from bnrenorm.training import loop
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.errors import InputError
from bnrenorm.runs.store import Store
from tests.conftest import COMPARED, some_digits


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 100)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    return store


def experiment(text=COMPARED):
    return build(document.parse(text, "x.yaml"))


def go(experiment, data, store, report=lambda progress: None, memory=2**30):
    todo = plan.plan(experiment, data, store, memory)
    return runner.run(todo, data, store, on="cpu", report=report)


def trained(monkeypatch):
    """Record the trials that are really trained."""
    seen = []
    real = runner.train.Training

    def spy(trials, data, *, on, kernels):
        seen.extend((trial.variant, trial.seed) for trial in trials)
        return real(trials, data, on=on, kernels=kernels)

    monkeypatch.setattr(runner.train, "Training", spy)
    return seen


def test_a_resume_before_the_first_step_keeps_its_record_once():
    columns = [{}]
    for step in (0, 0, 2):
        runner._append(columns, loop.Record(step, step / 2, {"train_loss": np.ones(1)}, {}))
    assert columns[0]["step"] == [0, 2]


def test_results_are_in_the_order_of_the_trials_and_complete(few, store):
    results = go(experiment(), few, store)
    assert [(trial.variant, trial.seed) for trial, _ in results] == [("BN", 0), ("BN", 1), ("BRN", 0), ("BRN", 1)]
    for _, result in results:
        assert result.outcome == "finished"
        assert result.records["step"] == [1, 2, 3, 4]


def test_only_what_is_missing_is_trained(few, store, monkeypatch):
    seen = trained(monkeypatch)
    first = go(experiment(), few, store)
    assert len(seen) == 4
    seen.clear()
    again = go(experiment(), few, store)
    assert seen == []
    assert again == first
    more = experiment(
        COMPARED.replace("seeds: 2", "seeds: 3").replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    )
    go(more, few, store)
    assert sorted(seen) == [("BN", 2), ("BRN", 2), ("plain", 0), ("plain", 1), ("plain", 2)]


def test_other_data_is_another_trial(few, store, monkeypatch):
    go(experiment(), few, store)
    seen = trained(monkeypatch)
    go(experiment(), some_digits(201, 100), store)
    assert len(seen) == 4


def test_finished_groups_survive_a_failure_in_a_later_one(few, store, monkeypatch):
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    real = runner.train.Training

    def fail(trials, data, *, on, kernels):
        if trials[0].variant == "BN":
            raise OSError(28, "No space left on device")
        return real(trials, data, on=on, kernels=kernels)

    monkeypatch.setattr(runner.train, "Training", fail)
    with pytest.raises(OSError, match="No space"):
        go(experiment(text), few, store)
    assert len(list(store.trials.glob("*.json"))) == 2


def test_a_diverged_trial_ends_at_its_step_and_leaves_its_companions(few, store):
    text = COMPARED.replace("BRN: {", "BRN: {training: {steps: 9, optimizer: {lr: 1.0e+20}}, ").replace(
        "steps: 4", "steps: 9"
    )
    results = {(trial.variant, trial.seed): result for trial, result in go(experiment(text), few, store)}
    diverged = results["BRN", 0]
    assert diverged.outcome == "diverged"
    assert len(diverged.records["step"]) < 9
    assert np.isfinite(diverged.records["train_loss"][:-1]).all()
    assert not np.isfinite(diverged.records["train_loss"][-1])
    assert results["BN", 0].outcome == "finished"
    assert len(results["BN", 0].records["step"]) == 9


def test_progress_counts_what_is_trained(few, store):
    shown = []
    go(experiment(), few, store, report=lambda progress: shown.append((progress.done, progress.total)))
    assert shown == [(4, 16), (8, 16), (12, 16), (16, 16)]


def test_labels_are_checked_before_anything_is_trained(few, store):
    with pytest.raises(InputError, match="model.outputs is 11"):
        go(experiment(COMPARED.replace("hidden: [20]", "hidden: [20], outputs: 11")), few, store)
    assert not list(store.trials.iterdir())


def test_a_groups_memory_is_free_before_the_next_begins(few, store, monkeypatch):
    made, alive = [], []

    class Watched(loop.Training):
        def __init__(self, *given, **named):
            alive.append(sum(each() is not None for each in made))
            super().__init__(*given, **named)
            made.append(weakref.ref(self.network))

    monkeypatch.setattr(loop, "Training", Watched)
    gc.disable()
    try:
        go(experiment(COMPARED + "grid: {training.batch: [10, 20]}"), few, store)
    finally:
        gc.enable()
    assert alive == [0, 0]
