"""Reading a run again: the same results, and one line for whatever is no run."""

import errno
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import bnrenorm
from bnrenorm.engines.backend import CHAINER, CUDA, CUDA_TF32, Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import finished, inventory
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, FEW, save_digits


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The results of a run whose images no longer exist."""
    folder = tmp_path_factory.mktemp("trained")
    images, config = save_digits(folder / "few.npz"), folder / "config.yaml"
    config.write_text(COMPARED)
    experiment = bnrenorm.load(config, data__path=str(images))
    results = bnrenorm.run(experiment, device="cpu", engine="chainer", out=folder / "runs")
    images.unlink()
    return results


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of the run folder with its store, for a test to damage."""
    shutil.copytree(trained.folder.parent, tmp_path / "runs")
    return tmp_path / "runs" / trained.folder.name


def test_a_run_is_read_as_it_was(trained, folder):
    run = finished.read(folder)
    assert run.data == trained.data
    assert run.experiment.resolved() == trained.experiment.resolved()
    assert (run.device, run.notes, run.folder) == ("cpu", (FEW,), folder)
    assert [trial for trial, _ in run.trials] == [trial for trial, _ in trained.trials]
    assert [result.records for _, result in run.trials] == [result.records for _, result in trained.trials]


def test_a_run_that_has_not_ended_is_read_from_its_trials(trained, folder):
    (folder / "environment.json").unlink()
    next((folder.parent / "trials").glob("*.json")).unlink()
    with pytest.raises(InputError, match=r"few.npz"):  # only the images tell what the settings come to
        finished.read(folder)
    path = trained.experiment.data.path
    save_digits(Path(path))
    try:
        assert len(finished.read(folder).trials) == 3
    finally:
        Path(path).unlink()


@pytest.mark.parametrize(
    ("damaged", "which", "them"), [(1, "1 stored trial is", "it"), (2, "2 stored trials are", "them")]
)
def test_damaged_trials_are_left_out_with_a_note(folder, damaged, which, them):
    for path in sorted((folder.parent / "trials").glob("*.json"))[:damaged]:
        path.write_text(path.read_text().replace("finished", "diverged"))
    run = finished.read(folder)
    assert len(run.trials) == 4 - damaged
    assert run.notes == (
        FEW,
        f"{which} damaged and left out: the same command trains {them} again",
    )


def test_a_folder_without_its_trials_is_one_line(folder):
    shutil.rmtree(folder.parent / "trials")
    with pytest.raises(InputError, match=r"none of its 4 trials can be read from .*trials; bnrenorm compare "):
        finished.read(folder)


def test_trials_that_are_all_damaged_are_of_no_other_version(folder):
    for path in (folder.parent / "trials").glob("*.json"):
        path.write_text("{}")
    with pytest.raises(InputError, match=r"none of its 4 trials can be read from .*trials; bnrenorm compare "):
        finished.read(folder)


def test_trials_of_another_version_are_said_to_be_there(folder, monkeypatch):
    monkeypatch.setattr("bnrenorm.config.trial.RESULTS", 0)
    with pytest.raises(
        InputError, match=r"trials: those there are of another version of bnrenorm, .* differ; bnrenorm co"
    ):
        finished.read(folder)


def test_trials_of_another_config_are_said_to_be_there(folder):
    path = folder / "experiment.yaml"
    path.write_text(re.sub(r"\blr: [0-9.]+", "lr: 0.07", path.read_text()))
    with pytest.raises(InputError, match=r"those there are of another experiment.yaml, before an edit or an update, "):
        finished.read(folder)
    renamed = folder.rename(folder.with_name("mine-12345678"))
    with pytest.raises(InputError, match=r"those there are of another version of bnrenorm, "):
        finished.read(renamed)


def test_trials_that_an_update_has_left_behind_are_told(folder, monkeypatch):
    """As those with a norm of one's own, whose address changes alone."""
    now = finished.Trial.key
    monkeypatch.setattr(
        finished.Trial, "key", lambda trial, *of: now(trial, *of) if trial.variant == "BN" else f"{trial.seed:016}"
    )
    outcome = finished.read(folder)
    assert len(outcome.trials) == 2
    whose = "2 stored trials of this run are of another version of bnrenorm"
    assert outcome.notes[-1] == f"{whose}, whose numbers may differ: not used"


def test_trials_of_another_version_are_told_where_they_are_there_and_others_are_missing(folder):
    inventory.list_trials(folder, ["0" * 16])
    store = Store(folder.parent)
    other, own = store.path("0" * 16), store.path(store.finished()[0])
    other.touch()
    assert finished.read(folder).notes == (FEW,)
    own.write_text("{}")
    assert finished.read(folder).notes[1].startswith("1 stored trial is damaged")
    own.unlink()
    assert finished.read(folder).notes[1].startswith("1 stored trial of this run is of another version of bnrenorm, ")
    other.unlink()
    assert finished.read(folder).notes == (FEW,)


def test_from_inside_a_folder_the_command_is_that_of_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "environment.json").write_text("{}")
    with pytest.raises(InputError, match=f"; bnrenorm compare {folder} --out {folder.parent} runs it again$"):
        finished.read(Path("."))


def test_trials_that_may_not_be_read_are_not_called_damaged(folder, monkeypatch):
    def refuse(store, key):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Store, "read", refuse)
    with pytest.raises(InputError, match=r"trials/[0-9a-f]{16}.json: cannot be read: Permission denied$"):
        finished.read(folder)


def test_a_folder_that_is_no_run_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no run folder: it has no experiment.yaml"):
        finished.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b"[1]",
        b"null",
        json.dumps({"device": "../x", "data": {}, "trained_by": []}).encode(),
        json.dumps({"device": "cpu", "data": {"source": 1}, "trained_by": [{"engine": "cpu"}]}).encode(),
        b'{"device": NaN}',
    ],
)
def test_an_environment_that_no_run_writes_is_one_line(folder, content):
    (folder / "environment.json").write_bytes(content)
    with pytest.raises(
        InputError,
        match=r"environment.json: (is not what this version writes|cannot be read): .*; bnrenorm compare \S+ --out \S+ runs it again$",
    ):
        finished.read(folder)


def test_an_environment_that_is_no_file_is_one_line(folder):
    (folder / "environment.json").unlink()
    (folder / "environment.json").mkdir()
    with pytest.raises(InputError, match="expected a regular file"):
        finished.read(folder)


def test_images_of_other_classes_belong_to_no_trial(folder):
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment["data"]["classes"] = 5
    path.write_text(json.dumps(environment))
    with pytest.raises(InputError, match="none of its 4 trials can be read"):
        finished.read(folder)


@pytest.fixture
def stored_as(trained, folder):
    """A function that stores the run's trials as another backend's, which took them 7 s each."""

    def stored_as(backend):
        store = Store(folder.parent)
        for trial, result in trained.trials:
            key = trial.key(trained.data.checksum, backend.address(trial.settings))
            store.write(key, trial, trained.data.checksum, replace(result, seconds=7.0))

    return stored_as


@pytest.mark.parametrize(
    ("engine", "device", "trained_by"),
    [(CHAINER, "cuda:1", [CHAINER]), (CUDA, "cuda:0", [CHAINER, CUDA]), (CUDA_TF32, "cuda:0", [CUDA_TF32, CHAINER])],
)
def test_a_run_is_read_from_the_trials_of_its_own_engine_and_device(folder, stored_as, engine, device, trained_by):
    stored_as(Backend(engine, device))
    path = folder / "environment.json"
    environment = json.loads(path.read_text())
    environment |= {"device": device, "trained_by": [{"engine": name} for name in trained_by], "notes": ["a note"]}
    path.write_text(json.dumps(environment))
    run = finished.read(folder)
    assert (run.device, run.notes) == (device, ("a note",))
    assert [result.seconds for _, result in run.trials] == [7.0] * 4


@pytest.mark.parametrize("engine", [CUDA, CUDA_TF32, CHAINER])
def test_a_run_on_a_gpu_that_has_not_ended_is_read_too(trained, folder, stored_as, monkeypatch, engine):
    (folder / "environment.json").unlink()
    shutil.rmtree(folder.parent / "trials")
    (folder.parent / "trials").mkdir()
    stored_as(Backend(engine, "cuda:0"))
    monkeypatch.setattr(finished.dataset, "load", lambda settings: SimpleNamespace(described=trained.data))
    assert len(finished.read(folder).trials) == 4


def test_a_run_is_read_from_inside_its_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert len(finished.read(Path()).trials) == 4


def test_a_trial_that_the_disk_does_not_give_back_is_left_out(folder, monkeypatch):
    real, calls = Store.read, []

    def read(store, key):
        calls.append(key)
        if len(calls) == 1:
            raise OSError("Input/output error")
        return real(store, key)

    monkeypatch.setattr(Store, "read", read)
    run = finished.read(folder)
    assert len(run.trials) == 3
    assert run.notes == (FEW, "1 stored trial is damaged and left out: the same command trains it again")
