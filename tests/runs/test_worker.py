"""What a worker does that needs no cluster; the rest is in test_course."""

import pickle
import platform
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bnrenorm import _compat, disk
from bnrenorm.config.plugins import Plugin
from bnrenorm.data import dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.norm import registry
from bnrenorm.runs import worker
from bnrenorm.runs.plan import trial_keys
from bnrenorm.runs.store import Store
from bnrenorm.runs.worker import Begun, Run, Shown, Task
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, experiment_of, save_digits

distributed = pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


@pytest.fixture
def given(tmp_path):
    """A function that returns a run and its only task, whose results belong into tmp_path."""
    experiment = experiment_of(COMPARED, [f"data.path={save_digits(tmp_path / 'few.npz')}"])
    images = dataset.load(experiment.data)

    def given(backend, checksum=images.checksum):
        keys = trial_keys(experiment, images, backend)
        proof = tmp_path / "proof"
        return (
            Run("token", experiment.data, checksum, backend, tmp_path, proof, (), platform.node()),
            Task(0, list(keys), list(keys.values())),
        )

    return given


@pytest.fixture
def messages(monkeypatch):
    """What is sent from a worker with the number 5."""
    sent = []
    own = SimpleNamespace(name=5, log_event=lambda topic, message: sent.append(pickle.loads(message)))
    monkeypatch.setattr(distributed, "get_worker", lambda: own)
    return sent


@pytest.mark.parametrize(("gpus", "device"), [(1, "cuda:0"), (2, "cuda:1"), (4, "cuda:1"), (8, "cuda:5")])
def test_each_worker_of_a_machine_has_a_gpu_of_its_own(given, messages, monkeypatch, tmp_path, gpus, device):
    seen = []
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    trainer = SimpleNamespace(train=lambda *_: None)
    monkeypatch.setattr(worker, "GroupTrainer", lambda data, store, backend, *_: seen.append(backend) or trainer)
    Store(tmp_path).prepare()
    (tmp_path / "proof").touch()
    assert worker.train_group(*given(Backend("cuda", "cuda:0"))) == []
    assert seen == [Backend("cuda", device)]
    assert messages == [Begun(0, shares=True)]


def test_a_worker_without_the_gpu_that_the_command_has_is_no_traceback(given, messages, monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 0)
    with pytest.raises(InputError, match="^a worker finds no GPU, and this machine has one; use --device cpu"):
        worker.train_group(*given(Backend("cuda", "cuda:0")))
    assert not messages


def test_a_mistake_on_another_machine_names_it(given, messages, monkeypatch):
    run, task = given(Backend("chainer", "cpu"), checksum="0" * 64)
    with pytest.raises(InputError, match="other images on a worker than on this machine$"):
        worker.train_group(run, task)
    monkeypatch.setattr(platform, "node", lambda: "node7")
    with pytest.raises(InputError, match="than on this machine \\(on node7, where a worker is\\)$"):
        worker.train_group(run, task)
    assert not messages


def test_results_are_handed_back_only_where_the_folder_is_not_shared(given, messages, tmp_path):
    run, task = given(Backend("chainer", "cpu"))
    handed = worker.train_group(run, task)
    assert [key for key, _ in handed] == task.keys
    assert {result.outcome for _, result in handed} == {"finished"}
    assert not Store(tmp_path).finished()
    Store(tmp_path).prepare()
    run.proof.touch()
    assert worker.train_group(run, task) == []
    assert {Store(tmp_path).read(key).outcome for key in task.keys} == {"finished"}


def test_results_are_handed_back_where_the_folder_is_seen_but_cannot_be_written(given, messages, tmp_path, monkeypatch):
    run, task = given(Backend("chainer", "cpu"))
    run.proof.touch()

    def refuse(folder, real=disk.try_to_write):
        if folder == run.root / "trials":
            raise PermissionError
        real(folder)

    monkeypatch.setattr(disk, "try_to_write", refuse)
    assert [key for key, _ in worker.train_group(run, task)] == task.keys
    assert messages[0] == Begun(0, shares=False)


def test_another_version_than_on_the_commands_machine_is_refused(given, messages):
    run, task = given(Backend("chainer", "cpu"))
    with pytest.raises(InputError, match="a worker has another version of bnrenorm than this machine"):
        worker.train_group(run, replace(task, keys=[key[::-1] for key in task.keys]))
    assert not messages


def test_images_that_have_changed_since_the_last_run_are_read_again(given, messages, tmp_path):
    run, task = given(Backend("chainer", "cpu"))
    with pytest.raises(InputError):
        worker.train_group(replace(run, checksum="other"), task)
    worker.train_group(run, task)
    save_digits(tmp_path / "few.npz", 200, 90)
    changed = dataset.load(run.data).checksum
    assert worker._images(run.data.model_dump_json(), changed).checksum == changed


def test_a_plugin_that_is_as_it_was_before_another_version_is_registered_again(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    made = "import bnrenorm\nbnrenorm.register_norm('mine', lambda width: {}, version='1')\n"
    one, two = (Plugin(tmp_path / "norms.py", made.format(value).encode()) for value in ("'one'", "'two'"))
    for plugin, want in ((one, "one"), (two, "two"), (one, "one")):
        worker._register((plugin,))
        assert registry.find("mine").factory(3) == want


def test_the_last_record_is_always_shown(given, messages, monkeypatch):
    monkeypatch.setattr(worker, "_EVERY", 1000.0)
    worker.train_group(*given(Backend("chainer", "cpu")))
    assert [message.record.step for message in messages if isinstance(message, Shown)] == [1, 4]


def test_a_part_of_a_group_is_shown_as_such(given, messages, monkeypatch):
    """A GPU whose memory was full trains a group in parts."""
    run, task = given(Backend("chainer", "cpu"))
    record = Record(3, 1.0, {"train_loss": [0.1, 0.2], "test_loss": [0.3, 0.4]}, {"stopped": [1.0, 0.0], "r": [1, 1]})
    trainer = SimpleNamespace(train=lambda trials, keys, show: show(trials[2:], record))
    monkeypatch.setattr(worker, "GroupTrainer", lambda *_: trainer)
    (run.root / "trials").mkdir()
    run.proof.touch()
    worker.train_group(run, task)
    (shown,) = (message for message in messages if isinstance(message, Shown))
    assert (shown.first, shown.count) == (2, 2)
    assert (shown.record.values, shown.record.diagnosis) == ({"train_loss": [0.1, 0.2]}, {"stopped": [1.0, 0.0]})


def test_a_worker_trains_one_group_at_a_time(given, monkeypatch):
    """However many tasks Dask gives to it: each takes all of its threads."""
    held = []
    monkeypatch.setattr(worker, "_train_alone", lambda run, task: held.append(worker._turn.locked()))
    worker.train_group(*given(Backend("chainer", "cpu")))
    assert held == [True]
