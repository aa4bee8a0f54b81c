"""From a plan to stored results: which trials are trained, in which order they are kept, and what made them."""

import importlib.metadata
import shlex
import signal
import sys
from datetime import UTC, datetime, timedelta

import pytest

from bnrenorm import environment
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import group as groups
from bnrenorm.runs import plan, runner
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.training import loop
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, ENGINES, experiment_of, some_digits
from tests.runs.runs import CHAINER, train


@pytest.fixture
def trained(monkeypatch):
    """Record the trials that are really trained."""
    seen = []
    real = groups.Training

    def spy(trials, data, *, engine, device):
        seen.extend((trial.variant, trial.seed) for trial in trials)
        return real(trials, data, engine=engine, device=device)

    monkeypatch.setattr(groups, "Training", spy)
    return seen


@pytest.mark.parametrize("engine", ENGINES)
def test_results_are_in_the_order_of_the_trials_and_complete(few, store, engine):
    results = train(COMPARED, few, store, backend=Backend(engine, "cpu"))
    assert [(trial.variant, trial.seed) for trial, _ in results] == [("BN", 0), ("BN", 1), ("BRN", 0), ("BRN", 1)]
    want = {record.step: record for record in loop.Training([trial for trial, _ in results], few, engine=engine)}
    for replica, (_, result) in enumerate(results):
        assert result.outcome == "finished"
        assert result.records["step"] == [1, 2, 3, 4]
        assert result.records["epoch"] == [1, 2, 3, 4]
        for name in ("train_loss", "test_accuracy"):
            assert result.records[name] == [want[step].values[name][replica] for step in (1, 2, 3, 4)]
        assert result.records["layer1_r_50"] == [want[step].diagnosis["layer1_r_50"][replica] for step in (1, 2, 3, 4)]


@pytest.mark.parametrize(("engine", "packages"), [("chainer", set()), ("cpu", {"numba"})])
def test_a_result_says_what_made_it(few, store, engine, packages, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for _, result in train(COMPARED, few, store, backend=Backend(engine, "cpu")):
        versions = {name: importlib.metadata.version(name) for name in {"bnrenorm", "numpy", "chainer", *packages}}
        command, date = result.provenance.pop("command"), result.provenance.pop("date")
        assert shlex.split(command)[1:] == sys.argv[1:]
        assert datetime.now(UTC) - datetime.fromisoformat(date) < timedelta(minutes=10)
        assert result.provenance == {
            "commit": environment.commit(),
            "engine": engine,
            "device": "cpu",
            "gpu": None,
            "processor": environment.processor(),
            "blas": environment.blas(),
            "threads": 1,
            "versions": versions,
        }


def test_a_variant_without_kernels_is_stored_as_the_chainer_engines(few, store):
    text = COMPARED.replace("BRN: {", "BRN: {model: {activation: tanh}, ")
    results = train(text, few, store, backend=Backend("cpu", "cpu"))
    assert {(trial.variant, result.provenance["engine"]) for trial, result in results} == {
        ("BN", "cpu"),
        ("BRN", "chainer"),
    }


def test_results_of_one_engine_are_not_taken_for_those_of_another(few, store, trained):
    train(COMPARED, few, store, backend=Backend("chainer", "cpu"))
    trained.clear()
    results = train(COMPARED, few, store, backend=Backend("cpu", "cpu"))
    assert len(trained) == 4
    assert {result.provenance["engine"] for _, result in results} == {"cpu"}
    assert len(list(store.trials.glob("*.json"))) == 8


@pytest.mark.slow
def test_only_what_is_missing_is_trained(few, store, trained):
    first = train(COMPARED, few, store)
    assert len(trained) == 4
    trained.clear()
    again = train(COMPARED, few, store)
    assert trained == []
    assert again == first
    more = COMPARED.replace("seeds: 2", "seeds: 3").replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    train(more, few, store)
    assert sorted(trained) == [("BN", 2), ("BRN", 2), ("plain", 0), ("plain", 1), ("plain", 2)]


def test_other_data_is_another_trial(few, store, trained):
    train(COMPARED, few, store)
    trained.clear()
    train(COMPARED, some_digits(201, 100), store)
    assert len(trained) == 4


def test_finished_groups_survive_a_failure_in_a_later_one(few, store, monkeypatch):
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    real = groups.Training

    def fail(trials, data, *, engine, device):
        if trials[0].variant == "BN":
            raise OSError(28, "No space left on device")
        return real(trials, data, engine=engine, device=device)

    monkeypatch.setattr(groups, "Training", fail)
    with pytest.raises(OSError, match="No space"):
        train(text, few, store)
    assert len(list(store.trials.glob("*.json"))) == 2


def test_a_signal_in_the_last_moments_is_obeyed(few, store, monkeypatch):
    """The group has ended, and nobody looks for a signal any more."""
    real = runner.GroupTrainer.train

    def train_and_interrupt(self, *arguments):
        real(self, *arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(runner.GroupTrainer, "train", train_and_interrupt)
    with pytest.raises(Interrupted, match="everything is saved"):
        train(COMPARED, few, store)
    assert len(store.finished()) == 4


def test_labels_are_checked_before_anything_is_trained(few, store):
    with pytest.raises(InputError, match="model.outputs is 11"):
        train(COMPARED.replace("hidden: [20]", "hidden: [20], outputs: 11"), few, store)
    assert not list(store.trials.iterdir())


def test_progress_goes_on_over_groups(few, store):
    shown = []
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    train(text, few, store, lambda p: shown.append((p.done, p.total, p.group, p.groups)))
    assert shown == [(done, 24, 1 if done <= 8 else 2, 2) for done in (2, 4, 6, 8, 12, 16, 20, 24)]


class Trainer:
    """Trains nothing: every group ends after its first step, as one whose networks all diverge."""

    def __init__(self, *_):
        pass

    def train(self, group, keys, show):
        show(group, Record(1, 1.0, {}))


def test_a_group_that_ends_early_counts_as_done(few, store, monkeypatch):
    monkeypatch.setattr(runner, "GroupTrainer", Trainer)
    two = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    todo = plan.plan(plan.trial_keys(experiment_of(two), few, CHAINER), few, store, 2**30, CHAINER)
    shown = []
    runner.train(todo, few, store, CHAINER, shown.append)
    assert [len(group) for group in todo.groups] == [2, 4]
    assert [progress.done for progress in shown] == [2, 2 * 4 + 4]
    assert {progress.total for progress in shown} == {6 * 4}


def test_checkpoints_of_stored_trials_are_gone_after_a_training(few, store):
    """Which a command that was killed between the two has left."""
    key = "0" * 16
    Checkpoints(store.checkpoints, [key]).save(Checkpoint({"step": 3}, [{}], 0.0))
    runner.train(plan.Plan({}, []), few, store, CHAINER, print)
    assert list(store.checkpoints.iterdir())
    store.path(key).touch()
    runner.train(plan.Plan({}, []), few, store, CHAINER, print)
    assert not list(store.checkpoints.iterdir())
