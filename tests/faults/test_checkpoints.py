"""Checkpoints that are damaged, of something else, or of another time: the command still ends in the same bits."""

import io
import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from bnrenorm.runs import sealed
from bnrenorm.runs.interrupt import Request
from bnrenorm.runs.store import Store
from tests.faults.operations import Faulty


@pytest.fixture
def interrupted(command, tmp_path, monkeypatch):
    """A folder whose run was interrupted after its second step, with two checkpoints."""

    class After(Request):
        asked = property(lambda self: len(list(Store(tmp_path / "out").checkpoints.glob("*.json"))) >= 2)

    with monkeypatch.context() as patch:
        patch.setattr("bnrenorm.runs.interrupt.Request", After)
        assert command("out")[0] == 130
    return Store(tmp_path / "out").checkpoints


def files(checkpoints, kind):
    return sorted(checkpoints.glob(f"*.{kind}"))


def cut(size):
    def damage(path):
        os.truncate(path, size if size >= 0 else path.stat().st_size + size)

    return damage


def cut_to_half(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def pickled(path):
    path.write_bytes(pickle.dumps({"state": print}))


@pytest.mark.parametrize("damage", [cut(0), cut(10), cut_to_half, cut(-1), flip, pickled])
@pytest.mark.parametrize("kind", ["json", "npz"])
@pytest.mark.parametrize("which", ["newest", "both"])
def test_a_damaged_file(command, left, interrupted, damage, kind, which):
    for path in files(interrupted, kind)[-1 if which == "newest" else 0 :]:
        damage(path)
    assert command("out") == (0, "")
    assert command("whole") == (0, "")
    assert left("out") == left("whole")
    assert not list(interrupted.iterdir())


def change(name, value):
    """A checkpoint whose state has another array of that name, sealed as a run would seal it."""

    def damage(path):
        content = sealed.read(path)
        state = sealed.read_arrays(path, content)
        state[name if name in state else next(key for key in state if name in key)] = value
        sealed.write(path, {key: content[key] for key in content.keys() - {"arrays"}}, state)

    return damage


def without_state(path):
    content = sealed.read(path)
    sealed.write(path, {key: content[key] for key in content.keys() - {"arrays"}}, {"step": np.array(2)})


def with_pickled_arrays(path):
    content = sealed.read(path)
    buffer = io.BytesIO()
    np.savez(buffer, step=np.array([print], object))
    path.with_suffix(".npz").write_bytes(buffer.getvalue())
    sealed.write(path, {key: content[key] for key in content.keys() - {"arrays"}}, {})
    content = sealed.read(path)
    import hashlib
    import json

    from bnrenorm.config.trial import digest

    data = buffer.getvalue()
    content["arrays"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path.write_text(json.dumps({**content, "checksum": digest(content)}))


@pytest.mark.parametrize(
    "damage",
    [
        change("W", np.zeros((2, 2), np.float32)),
        change("W", np.zeros(3, complex)),
        change("W", np.array("text")),
        change("step", np.array(-1)),
        change("step", np.array(10**9)),
        change("step", np.array([1, 2])),
        without_state,
        with_pickled_arrays,
    ],
)
def test_a_whole_checkpoint_of_another_version_shape_or_type(command, left, interrupted, damage):
    for path in files(interrupted, "json"):
        damage(path)
    assert command("out") == (0, "")
    assert command("whole") == (0, "")
    assert left("out") == left("whole")


def test_a_checkpoint_of_another_config_under_this_ones_name(command, left, interrupted, tmp_path):
    ours = {path.name.partition(".")[0] for path in files(interrupted, "json")}
    with Faulty("replace", 10, 10**6):  # the other one ends after its first checkpoint
        assert command("out", "--set", "training.optimizer.lr=0.5")[0] == 1
    (theirs,) = {path.name.partition(".")[0] for path in files(interrupted, "json")} - ours
    (ours,) = ours
    for path in files(interrupted, "*"):
        if path.name.startswith(theirs):
            path.rename(path.with_name(path.name.replace(theirs, ours)))
    assert command("out") == (0, "")
    assert command("whole") == (0, "")
    shutil.rmtree(
        next(folder for folder in (tmp_path / "out").glob("faults-*") if not (folder / "verdict.json").exists())
    )
    assert left("out") == left("whole")


@pytest.mark.parametrize("older", [0, 3600])
def test_the_times_of_files_mean_nothing(command, left, interrupted, monkeypatch, older):
    """The older checkpoint was touched last, and the clock was set back by an hour."""
    first, last = files(interrupted, "json")
    now = time.time() - older
    for path in (first, first.with_suffix(".npz")):
        os.utime(path, (now + 100, now + 100))
    for path in (last, last.with_suffix(".npz")):
        os.utime(path, (now - 100, now - 100))
    monkeypatch.setattr(time, "time", lambda real=time.time: real() - 3600)
    assert command("out") == (0, "")
    assert command("whole") == (0, "")
    assert left("out") == left("whole")


def test_the_oracle_of_these_tests_sees_a_change(command, left, tmp_path):
    assert command("whole") == (0, "")
    before = left("whole")
    path = next(Path(tmp_path / "whole/trials").glob("*.json"))
    path.write_text(path.read_text().replace('"test_loss": [', '"test_loss": [1.5, ', 1))
    assert left("whole") != before
