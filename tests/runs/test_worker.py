"""What a worker does that needs no cluster; the rest is in test_course."""

from types import SimpleNamespace

import pytest

from bnrenorm import _compat
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import worker
from bnrenorm.runs.plan import addresses
from bnrenorm.runs.store import Store
from bnrenorm.runs.worker import Run, Task
from tests.helpers import COMPARED, experiment_of, save_digits

distributed = pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


@pytest.fixture
def given(tmp_path):
    """A function that returns a run and its only task, whose results belong into tmp_path."""
    experiment = experiment_of(COMPARED, [f"data.path={save_digits(tmp_path / 'few.npz')}"])
    images = worker._images(experiment.data.model_dump_json())

    def given(backend, checksum=images.checksum):
        keys = addresses(experiment, images, backend)
        proof = tmp_path / "proof"
        return (
            Run("token", experiment.data, checksum, backend, tmp_path, proof, ()),
            Task(0, list(keys), list(keys.values())),
        )

    return given


@pytest.fixture
def messages(monkeypatch):
    """What is sent from a worker with the number 5."""
    sent = []
    own = SimpleNamespace(name=5, log_event=lambda topic, message: sent.append(topic))
    monkeypatch.setattr(distributed, "get_worker", lambda: own)
    return sent


@pytest.mark.parametrize(("gpus", "device"), [(1, "cuda:0"), (2, "cuda:1"), (4, "cuda:1"), (8, "cuda:5")])
def test_each_worker_of_a_machine_has_a_gpu_of_its_own(given, messages, monkeypatch, tmp_path, gpus, device):
    seen = []
    monkeypatch.setattr(_compat, "gpu_count", lambda: gpus)
    trainer = SimpleNamespace(train=lambda *_: None)
    monkeypatch.setattr(worker, "GroupTrainer", lambda data, store, backend, *_: seen.append(backend) or trainer)
    (tmp_path / "proof").touch()
    assert worker.train(*given(Backend("cuda", "cuda:0"))) == []
    assert seen == [Backend("cuda", device)]
    assert messages == ["token"]  # that it has begun


def test_results_are_handed_back_only_where_the_folder_is_not_shared(given, messages, tmp_path):
    run, task = given(Backend("chainer", "cpu"))
    handed = worker.train(run, task)
    assert [key for key, _ in handed] == task.keys
    assert {result.outcome for _, result in handed} == {"finished"}
    assert not Store(tmp_path).finished()
    Store(tmp_path).prepare()
    run.proof.touch()
    assert worker.train(run, task) == []
    assert {Store(tmp_path).read(key).outcome for key in task.keys} == {"finished"}


def test_other_images_than_on_the_commands_machine_are_refused(given, messages):
    with pytest.raises(InputError, match="these are other images on a worker than on this machine"):
        worker.train(*given(Backend("chainer", "cpu"), checksum="other"))
    assert not messages
