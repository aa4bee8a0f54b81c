"""From a plan to stored results: what is trained, what is kept of it, and what survives."""

import gc
import importlib.metadata
import os
import shlex
import signal
import sys
import weakref
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest

from bnrenorm import environment
from bnrenorm.analysis import tables
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import group as groups
from bnrenorm.runs import plan, runner
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.store import Store
from bnrenorm.training import loop
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, ENGINES, experiment_of, some_digits

CHAINER = Backend("chainer", "cpu")


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 100)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    return store


def train(text, data, store, report=lambda progress: None, memory=2**30, backend=CHAINER, note=lambda text: None):
    """Train what is missing, and return all results in the experiment's order."""
    todo = plan.plan(plan.addresses(experiment_of(text), data, backend), data, store, memory, backend)
    runner.train(todo, data, store, backend, report, note)
    return [(trial, store.read(key)) for trial, key in todo.keys.items()]


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


def test_columns_are_of_equal_length_though_the_first_record_has_no_diagnosis():
    columns = [{}]
    groups._append(columns, Record(0, 0.0, {"train_loss": np.ones(1)}, {}))
    groups._append(columns, Record(5, 0.5, {"train_loss": np.ones(1)}, {"layer1_r_50": np.full(1, 2.0)}))
    assert columns[0]["epoch"] == [0.0, 0.5]
    assert np.isnan(columns[0]["layer1_r_50"][0])
    assert columns[0]["layer1_r_50"][1] == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_results_are_in_the_order_of_the_trials_and_complete(few, store, engine):
    results = train(COMPARED, few, store, backend=Backend(engine, "cpu"))
    assert [(trial.variant, trial.seed) for trial, _ in results] == [("BN", 0), ("BN", 1), ("BRN", 0), ("BRN", 1)]
    want = {record.step: record for record in loop.train([trial for trial, _ in results], few, engine=engine)}
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


def test_a_trials_seconds_are_its_share_of_its_groups_time(few, store, monkeypatch):
    """A clock that gains 10 s with every record: the group of four takes 40 s, all but the first before it is asked."""
    clock = Clock()
    monkeypatch.setattr(groups.time, "monotonic", clock.monotonic)
    results = train(COMPARED, few, store, report=lambda progress: clock.wait(10))
    assert [result.seconds for _, result in results] == [40 / 4] * 4


def test_seconds_of_a_resumed_trial_contain_those_before_the_interrupt(few, store, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(groups.time, "monotonic", clock.monotonic)

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


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(("seconds", "saved"), [(groups.SAVE_EVERY, 4), (groups.SAVE_EVERY / 2, 2), (1, 0)])
def test_a_checkpoint_is_saved_once_a_minute(few, store, monkeypatch, seconds, saved):
    clock, steps, real = Clock(), [], groups.Checkpoints.save
    monkeypatch.setattr(groups.time, "monotonic", clock.monotonic)

    def save(self, checkpoint):
        steps.append(int(checkpoint.state["step"]))
        real(self, checkpoint)

    monkeypatch.setattr(groups.Checkpoints, "save", save)
    train(COMPARED, few, store, report=lambda progress: clock.wait(seconds))
    assert len(steps) == saved
    assert not list(store.checkpoints.iterdir())


@pytest.mark.parametrize("engine", ENGINES)
def test_after_an_interrupt_the_same_call_ends_with_the_same_bits(few, store, tmp_path, engine):
    backend = Backend(engine, "cpu")
    whole = Store(tmp_path / "whole")
    whole.prepare()
    want = [result.records for _, result in train(COMPARED, few, whole, backend=backend)]

    def report(progress):
        if progress.record.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        train(COMPARED, few, store, report, backend=backend)
    (saved,) = store.checkpoints.glob("*.json")
    assert saved.name.endswith(".step-000000000002.json")
    assert not list(store.trials.iterdir())
    shown = []
    results = train(COMPARED, few, store, lambda progress: shown.append(progress.record.step), backend=backend)
    assert shown == [3, 4]
    assert [result.records for _, result in results] == want
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
    assert note.endswith(".step-000000000001.json is spoilt or of another version: going on from step 0")


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


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diverged_trial_ends_at_its_step_and_leaves_its_companions(few, store, engine):
    text = COMPARED.replace("BRN: {", "BRN: {training: {steps: 9, optimizer: {lr: 1.0e+20}}, ")
    text = text.replace("steps: 4", "steps: 9") + "evaluation: {parameters: true}\n"
    found = train(text, few, store, backend=Backend(engine, "cpu"))
    results = {(trial.variant, trial.seed): result for trial, result in found}
    diverged = results["BRN", 0]
    assert diverged.outcome == "diverged"
    assert len(diverged.records["step"]) < 9
    assert np.isfinite(diverged.records["train_loss"][:-1]).all()
    assert not np.isfinite(diverged.records["train_loss"][-1])
    assert diverged.parameters == {}, "how far they went on depends on its companions"
    assert results["BN", 0].outcome == "finished"
    assert len(results["BN", 0].records["step"]) == 9
    assert results["BN", 0].parameters.keys() >= {"linears/0/W", "norms/0/run_mean"}


def test_nothing_more_is_trained_once_all_have_diverged(few, store):
    text = COMPARED.replace("lr: 0.1", "lr: 1.0e+20").replace("steps: 4", "steps: 5000")
    shown = []
    results = train(text, few, store, report=lambda progress: shown.append(progress.record.step))
    assert {result.outcome for _, result in results} == {"diverged"}
    assert shown[-1] < 20


EARLY = """
name: a
data: {validation: 50}
model: {hidden: [20]}
training: {batch: {kind: iid, size: 50}, steps: 60, optimizer: {lr: 0.3}, early_stopping: {patience: 2, watch: loss}}
evaluation: {every: 3, parameters: true}
seeds: 3
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_the_summary_and_the_stored_parameters_are_those_that_early_stopping_went_back_to(few, store, engine):
    results = train(EARLY, few, store, backend=Backend(engine, "cpu"))
    training = loop.Training([trial for trial, _ in results], few, engine=engine)
    list(training)
    weights = training.engine.replicas.network.linears[0].W.array
    for (_, result), row, own in zip(results, tables.summary(results).to_dict("records"), weights, strict=True):
        best = int(np.argmin(result.records["validation_loss"]))
        assert row["final_validation_loss"] == result.records["validation_loss"][best]
        assert row["final_epoch"] == result.records["epoch"][best]
        assert len(result.records["step"]) == best + 3
        assert result.outcome == "finished"
        assert (result.parameters["linears/0/W"] == own).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_parameters_are_those_of_the_best_record_even_if_all_replicas_diverge_after_it(few, store, engine):
    def trained(more=""):
        text = f"""
name: a
data: {{validation: 50}}
model: {{hidden: [20]}}
variants: {{explodes: {{training: {{optimizer: {{lr: 1.0e+9}}}}}}{more}}}
training: {{batch: {{kind: iid, size: 50}}, steps: 60, early_stopping: {{patience: 20}}}}
evaluation: {{every: 1, parameters: true}}
"""
        return train(text, few, store, backend=Backend(engine, "cpu"))[0]

    trial, alone = trained()
    (store.path(trial.key(few.checksum, Backend(engine, "cpu").address(trial.settings)))).unlink()
    _, in_company = trained(", calm: {training: {optimizer: {lr: 0.01}}}")
    assert not np.isfinite(alone.records["train_loss"][-1]), "it diverged after its best record"
    assert (alone.outcome, in_company.outcome) == ("finished", "finished")
    for name, weights in in_company.parameters.items():
        assert (alone.parameters[name] == weights).all(), name


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("calm", ["0.01", "1.0e+20"])
def test_a_run_interrupted_after_a_divergence_ends_as_it_would_have(few, tmp_path, engine, calm):
    """Some replicas, or all, have diverged when it stops, and are not trained any further."""
    trials = experiment_of(f"""
name: a
model: {{hidden: [8]}}
variants: {{a: {{training: {{optimizer: {{lr: {calm}}}}}}}, b: {{training: {{optimizer: {{lr: 1.0e+20}}}}}}}}
training: {{batch: 20, steps: 12}}
evaluation: {{every: 2, parameters: true}}
""").trials(200)
    keys, ends = [f"{i:016}" for i in range(2)], []
    for stops in (False, True):
        store, asked = Store(tmp_path / str(stops)), []
        store.prepare()
        for _ in range(20):
            asked.clear()
            with suppress(Interrupted):
                stop = partial(bool, asked) if stops else bool  # after every record, or never
                trainer = groups.GroupTrainer(few, store, Backend(engine, "cpu"), stop)
                trainer.train(trials, keys, lambda trials, record, asked=asked: asked.append(record))
                break
        ends.append([store.read(key) for key in keys])
    for whole, parts in zip(*ends, strict=True):
        assert whole.outcome == parts.outcome
        np.testing.assert_equal(parts.records, whole.records)
        np.testing.assert_equal(parts.parameters, whole.parameters)


def test_progress_counts_what_is_trained(few, store):
    shown = []
    train(COMPARED, few, store, report=lambda progress: shown.append((progress.done, progress.total)))
    assert shown == [(4, 16), (8, 16), (12, 16), (16, 16)]


def test_progress_tells_the_group_and_how_many_there_are(few, store):
    shown = set()
    text = COMPARED + "grid: {training.batch: [5, 10, full]}\n"
    train(text, few, store, report=lambda progress: shown.add((progress.group, progress.groups)))
    assert shown == {(1, 3), (2, 3), (3, 3)}


def test_progress_goes_on_over_groups(few, store):
    shown = []
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    train(text, few, store, report=lambda progress: shown.append((progress.done, progress.total)))
    assert [done for done, _ in shown] == [2, 4, 6, 8, 12, 16, 20, 24]
    assert {total for _, total in shown} == {24}


def test_labels_are_checked_before_anything_is_trained(few, store):
    with pytest.raises(InputError, match="model.outputs is 11"):
        train(COMPARED.replace("hidden: [20]", "hidden: [20], outputs: 11"), few, store)
    assert not list(store.trials.iterdir())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_groups_memory_is_free_before_the_next_begins(few, store, monkeypatch, engine):
    made, alive = [], []

    class Watched(loop.Training):
        def __init__(self, *arguments, **named):
            alive.append(sum(each() is not None for each in made))
            super().__init__(*arguments, **named)
            made.append(weakref.ref(self.engine.replicas.network))

    monkeypatch.setattr(groups, "Training", Watched)
    gc.disable()
    try:
        train(COMPARED + "grid: {training.batch: [10, 20]}", few, store, backend=Backend(engine, "cpu"))
    finally:
        gc.enable()
    assert alive == [0, 0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("early_stopping", ["null", "{patience: 1}", "{patience: 1, watch: accuracy}"])
def test_a_last_step_that_destroys_the_weights_is_a_divergence(few, store, engine, early_stopping):
    """The training loss is that before the step; the test loss after it is no number."""
    text = f"""
name: a
model: {{hidden: [20]}}
variants: {{BN: {{}}, slow: {{training: {{optimizer: {{lr: 0.01}}}}}}}}
data: {{validation: 40}}
training: {{steps: 1, optimizer: {{lr: 1.0e+30}}, early_stopping: {early_stopping}}}
"""
    results = train(text, few, store, backend=Backend(engine, "cpu"))
    assert [(trial.variant, result.outcome) for trial, result in results] == [("BN", "diverged"), ("slow", "finished")]
    assert all(np.isfinite(result.records["train_loss"]).all() for _, result in results)
