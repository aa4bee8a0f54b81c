import numpy as np
import pytest

from bnrenorm import run
from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.errors import InputError
from bnrenorm.store import Store
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


def trained(monkeypatch):
    """Record the trials that are really trained."""
    seen = []
    real = run.train.train

    def spy(trials, data, *, on):
        seen.extend((trial.variant, trial.seed) for trial in trials)
        return real(trials, data, on=on)

    monkeypatch.setattr(run.train, "train", spy)
    return seen


def test_results_are_in_the_order_of_the_trials_and_complete(few, store):
    results = run.run(experiment(), few, store, on="cpu")
    assert [(trial.variant, trial.seed) for trial, _ in results] == [("BN", 0), ("BN", 1), ("BRN", 0), ("BRN", 1)]
    for _, result in results:
        assert result.outcome == "finished"
        assert result.records["step"] == [1, 2, 3, 4]


def test_only_what_is_missing_is_trained(few, store, monkeypatch):
    seen = trained(monkeypatch)
    first = run.run(experiment(), few, store, on="cpu")
    assert len(seen) == 4
    seen.clear()
    again = run.run(experiment(), few, store, on="cpu")
    assert seen == []
    assert again == first
    more = experiment(
        COMPARED.replace("seeds: 2", "seeds: 3").replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    )
    run.run(more, few, store, on="cpu")
    assert sorted(seen) == [("BN", 2), ("BRN", 2), ("plain", 0), ("plain", 1), ("plain", 2)]


def test_other_data_is_another_trial(few, store, monkeypatch):
    run.run(experiment(), few, store, on="cpu")
    seen = trained(monkeypatch)
    run.run(experiment(), some_digits(201, 100), store, on="cpu")
    assert len(seen) == 4


def test_finished_groups_survive_a_failure_in_a_later_one(few, store, monkeypatch):
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    real = run.train.train

    def fail(trials, data, *, on):
        if trials[0].variant == "BN":
            raise OSError(28, "No space left on device")
        return real(trials, data, on=on)

    monkeypatch.setattr(run.train, "train", fail)
    with pytest.raises(OSError, match="No space"):
        run.run(experiment(text), few, store, on="cpu")
    assert len(list(store.trials.glob("*.json"))) == 2


def test_a_diverged_trial_ends_at_its_step_and_leaves_its_companions(few, store):
    text = COMPARED.replace("BRN: {", "BRN: {training: {steps: 9, optimizer: {lr: 1.0e+20}}, ").replace(
        "steps: 4", "steps: 9"
    )
    results = {(trial.variant, trial.seed): result for trial, result in run.run(experiment(text), few, store, on="cpu")}
    diverged = results["BRN", 0]
    assert diverged.outcome == "diverged"
    assert len(diverged.records["step"]) < 9
    assert np.isfinite(diverged.records["train_loss"][:-1]).all()
    assert not np.isfinite(diverged.records["train_loss"][-1])
    assert results["BN", 0].outcome == "finished"
    assert len(results["BN", 0].records["step"]) == 9


def test_groups_are_of_one_structure_and_fit_into_memory(few, monkeypatch):
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}").replace("seeds: 2", "seeds: 5")
    trials = experiment(text).trials(200)
    assert sorted(len(group) for group in run.groups(trials, few)) == [5, 10]
    free = 2 * 3 * run.replica_bytes(trials[0], few)  # half of it holds three replicas
    monkeypatch.setattr(run.psutil, "virtual_memory", lambda: type("M", (), {"available": free}))
    groups = run.groups(trials, few)
    assert max(len(group) for group in groups) == 3
    assert sorted((t.variant, t.seed) for g in groups for t in g) == sorted((t.variant, t.seed) for t in trials)


def test_progress_counts_what_is_trained(few, store):
    shown = []
    run.run(experiment(), few, store, on="cpu", report=lambda progress: shown.append((progress.done, progress.total)))
    assert shown == [(4, 16), (8, 16), (12, 16), (16, 16)]


def test_labels_are_checked_before_anything_is_trained(few, store):
    with pytest.raises(InputError, match="model.outputs is 11"):
        run.run(experiment(COMPARED.replace("hidden: [20]", "hidden: [20], outputs: 11")), few, store, on="cpu")
    assert not list(store.trials.iterdir())
