"""Files in a folder of results that somebody else has changed: what they cost, and that no later work is lost by them."""

import json
import os

import numpy as np
import pytest

from bnrenorm.config.trial import digest
from bnrenorm.runs import inventory, sealed
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.runs.sealed import Damaged
from bnrenorm.runs.store import Store

KEYS = ["0" * 16, "1" * 16]


def save(saved, *steps):
    for step in steps:
        saved.save(Checkpoint({"step": np.array(step)}, [{}, {}], 1.0))


def resumed(root):
    """Return the step that a group goes on from, 0 for none, and the group."""
    saved = Checkpoints(root, KEYS)
    found, _ = saved.resume(lambda state: None)
    return (int(found.state["step"]) if found else 0), saved


def test_what_is_saved_after_a_restart_is_kept_beside_damaged_checkpoints_of_later_steps(tmp_path):
    save(Checkpoints(tmp_path, KEYS), 7, 9)
    for archive in tmp_path.glob("*.npz"):
        archive.write_bytes(archive.read_bytes()[:100])
    step, saved = resumed(tmp_path)
    assert step == 0
    save(saved, 2)
    assert resumed(tmp_path)[0] == 2
    assert len([*tmp_path.glob("*.json")]) == 1, "the damaged ones are gone"
    save(saved, 7, 9)
    assert resumed(tmp_path)[0] == 9, "where a damaged one was once"


def test_what_is_saved_in_the_place_of_a_damaged_checkpoint_is_kept(tmp_path):
    save(Checkpoints(tmp_path, KEYS), 7, 9)
    for archive in tmp_path.glob("*.npz"):
        archive.write_bytes(b"")
    _, saved = resumed(tmp_path)
    save(saved, 9)
    assert resumed(tmp_path)[0] == 9


def test_a_checkpoint_that_a_disk_did_not_give_back_is_kept_and_so_is_what_is_saved(tmp_path, monkeypatch):
    save(Checkpoints(tmp_path, KEYS), 7, 9)
    with monkeypatch.context() as patched:
        patched.setattr(sealed, "read", lambda path: (_ for _ in ()).throw(OSError("I/O error")))
        step, saved = resumed(tmp_path)
    assert step == 0
    save(saved, 2)
    kept = sorted(int(path.name.partition("step-")[2].partition(".")[0]) for path in tmp_path.glob("*.json"))
    assert kept == [2, 9]


@pytest.mark.parametrize("arrays", ["absent", "text", {}, [], {"bytes": "3", "sha256": ""}, {"bytes": 3}])
def test_a_file_that_says_something_else_of_its_arrays_is_damaged(tmp_path, arrays):
    path, content = tmp_path / "a.json", {"arrays": arrays} if arrays != "absent" else {"a": 1}
    path.write_text(json.dumps({**content, "checksum": digest(content)}))
    with pytest.raises(Damaged, match="a.json is not as it was written"):
        sealed.read(path)


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "a-01234567"
    folder.mkdir()
    (folder / "experiment.yaml").write_text("name: a")
    return folder


@pytest.mark.parametrize("kind", ["pipe", "device", "deep", "huge"])
def test_a_list_of_trials_that_is_none_is_as_if_there_were_none(tmp_path, run_folder, kind):
    listed = run_folder / ".trials.json"
    if kind == "pipe":
        os.mkfifo(listed)
    elif kind == "device":
        listed.symlink_to("/dev/zero")
    elif kind == "deep":
        listed.write_text("[" * 100_000)
    else:
        with listed.open("wb") as file:
            file.truncate(2**40)
    (run,) = inventory.runs(Store(tmp_path))
    assert run.keys is None


def test_a_file_that_is_renamed_while_runs_are_listed_is_none_of_them(tmp_path, run_folder, monkeypatch):
    lstat = inventory.disk.own_status

    def is_gone(path):
        if path.name == "curves.csv":
            raise FileNotFoundError(path)
        return lstat(path)

    (run_folder / "curves.csv").write_text("123")
    with_it = inventory.runs(Store(tmp_path))[0].size
    monkeypatch.setattr(inventory.disk, "own_status", is_gone)
    assert inventory.runs(Store(tmp_path))[0].size == with_it - 3
    assert sealed.size(run_folder / "curves.json") == 0
