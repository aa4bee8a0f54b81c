import errno
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bnrenorm import config, disk
from bnrenorm.errors import InputError
from bnrenorm.runs import sealed
from bnrenorm.runs.sealed import Damaged
from bnrenorm.runs.store import Store
from bnrenorm.training.records import CURVES, TrialResults

PROVENANCE = {"engine": "cpu", "device": "cpu", "gpu": None, "date": "2026", "versions": {"numpy": "2.0"}}


@pytest.fixture
def trial():
    return config.load("quick").trials(1000)[0]


def result(parameters=None, **changes):
    records = {name: [1.0, 2.0] for name in ("step", "epoch", *CURVES[:4])} | changes
    return TrialResults("diverged", 3.5, records, PROVENANCE, parameters or {})


def test_what_is_written_is_read_back_with_nan_and_infinity(store, trial):
    store.write("key", trial, "sum", result(train_loss=[0.1, math.nan], test_loss=[math.inf, -math.inf]))
    found = store.read("key")
    assert (found.outcome, found.seconds, found.provenance) == ("diverged", 3.5, PROVENANCE)
    assert found.records["train_loss"][0] == 0.1
    assert math.isnan(found.records["train_loss"][1])
    assert found.records["test_loss"] == [math.inf, -math.inf]


def test_the_file_is_strict_json_that_tells_what_was_trained(store, trial):
    store.write("key", trial, "sum", result(train_loss=[0.1, math.nan]))

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads((store.trials / "key.json").read_text(), parse_constant=refuse)
    assert content["settings"]["model"]["hidden"] == [100]
    assert content["settings"]["data"].keys().isdisjoint({"path", "first_label"}), "files differ by their trials alone"
    assert (content["seed"], content["data"]) == (0, "sum")
    assert content["provenance"] == PROVENANCE


@pytest.fixture
def path(store, trial):
    """The file of a stored trial, "key"."""
    store.write("key", trial, "sum", result())
    return store.path("key")


def with_columns(**columns):
    return lambda content: {**content, "records": {**content["records"], **columns}}


def without_column(name):
    return lambda content: {**content, "records": without(name)(content["records"])}


def without(name):
    return lambda content: {key: value for key, value in content.items() if key != name}


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"outcome": "finished"}', "[]", '{"records": 3}', "null", "7" * 5000, "[" * 100_000, '{"a": 1e999}'],
    ids=lambda text: text[:20],
)
def test_what_is_not_a_trials_file_is_damaged(store, path, text):
    path.write_text(text)
    with pytest.raises(Damaged, match="key.json is not as it was written"):
        store.read("key")


@pytest.mark.parametrize(
    ("old", "new"), [('"seed": 0', '"seed": 1'), ('"sum"', '"mus"'), ("1.0, ", ""), ("2.0", "2.1"), ("step", "stop")]
)
def test_a_change_that_is_still_json_is_seen(store, path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(Damaged, match="not as it was written"):
        store.read("key")


@pytest.mark.parametrize(
    "change",
    [
        *map(without, ("key", "outcome", "seconds", "provenance", "records")),
        lambda content: {**content, "outcome": "lost"},
        *(lambda content, s=seconds: {**content, "seconds": s} for seconds in ("nan", "inf", -1.0)),
        *(lambda content, o=origin: {**content, "provenance": o} for origin in ({}, {"engine": "cpu"})),
        lambda content: {**content, "records": {}},
        lambda content: {**content, "records": {"step": [1.0, 2.0]}},
        *(with_columns(step=steps) for steps in (["nan", "nan"], [1.0, 1.5], [2.0, 1.0], [1.0, 1.0], [-1.0, 1.0])),
        *(without_column(name) for name in ("step", "epoch", *CURVES[:4])),
        with_columns(**{name: [0.0] for name in ("step", "epoch", *CURVES[:4])}),
        with_columns(test_loss=[1.0]),
        with_columns(layer1_r_50=[1.0, 2.0, 3.0]),
        with_columns(test_loss=[1.0, {}]),
    ],
)
def test_a_file_of_another_version_is_checked_before_its_content_is_used(store, path, change):
    sealed.write(path, change(sealed.read(path)), {})
    with pytest.raises(Damaged, match="key.json does not have what a trial needs"):
        store.read("key")


def test_a_trial_is_found_under_its_own_key_only(store, path):
    path.rename(store.path("other"))
    with pytest.raises(Damaged, match="other.json is that of another trial"):
        store.read("other")


def huge(path):
    path.write_text("")
    os.truncate(path, 50 * 10**9)  # takes no room on the disk


@pytest.mark.parametrize("make", [os.mkfifo, huge, lambda path: path.symlink_to("/dev/zero"), os.mkdir])
def test_only_regular_files_of_bounded_size_are_read(store, path, make):
    path.unlink()
    make(path)
    with pytest.raises(Damaged, match="key.json: expected "):
        store.read("key")


def test_a_trial_may_be_a_link_to_a_file_and_is_replaced_without_touching_that(store, path, trial, tmp_path):
    elsewhere = path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert store.read("key").records == result().records
    store.write("key", trial, "sum", result(test_loss=[5.0, 6.0]))
    assert not path.is_symlink()
    assert elsewhere.read_bytes() == before


def test_a_disk_that_fails_is_not_taken_for_a_damaged_file(store, path, monkeypatch):
    def fail(self):
        raise OSError(errno.EIO, "Input/output error", str(self))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output error.*key.json"):
        store.read("key")


@pytest.mark.parametrize("damage", [b"", b"PK no archive", None])
def test_parameters_are_read_back_and_a_damaged_file_of_them_damages_the_trial(store, trial, damage):
    weights = {"linears/0/W": np.arange(6, dtype=np.float32).reshape(2, 3)}
    store.write("key", trial, "sum", result(weights))
    found = store.read("key")
    assert found.parameters.keys() == weights.keys()
    assert (found.parameters["linears/0/W"] == weights["linears/0/W"]).all()
    copy = Store(store.root / "copy")
    copy.prepare()
    copy.copy("key", store)
    assert copy.read("key").parameters["linears/0/W"].tolist() == weights["linears/0/W"].tolist()
    damaged = store.trials / "key.npz"
    if damage is None:
        damaged.unlink()
    else:
        damaged.write_bytes(damage)
    assert store.has("key")
    with pytest.raises(Damaged, match="key.npz is"):
        store.read("key")


def test_parameters_are_written_before_the_file_that_says_the_trial_is_finished(store, trial, monkeypatch):
    from bnrenorm import atomic

    written, real = [], atomic.write
    monkeypatch.setattr(atomic, "write", lambda path, content: written.append(path.suffix) or real(path, content))
    store.write("key", trial, "sum", result({"linears/0/W": np.zeros(3, np.float32)}))
    assert written == [".npz", ".json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--out .*file: cannot be written"):
        Store(tmp_path / "file").prepare()


def test_a_folder_that_may_only_be_read_is_refused_before_anything_is_trained(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(disk, "try_to_write", refuse)
    with pytest.raises(InputError, match=f"^--out {tmp_path}: cannot be written: Permission denied$"):
        Store(tmp_path).prepare()


def test_other_files_among_the_trials_are_none(store):
    for name in ("notes.json", f"{'0' * 16}.json", f"{'0' * 16}.npz", f"{'F' * 16}.json"):
        (store.trials / name).touch()
    assert store.finished() == ["0" * 16]


@pytest.mark.parametrize("name", ["trials", "checkpoints"])
def test_out_may_be_a_link_but_no_folder_in_it(tmp_path, name):
    disk, others = tmp_path / "disk", tmp_path / "others"
    disk.mkdir()
    others.mkdir()
    (tmp_path / "runs").symlink_to(disk)
    Store(tmp_path / "runs").prepare()
    assert {path.name for path in disk.iterdir()} == {"trials", "checkpoints"}
    (disk / name).rmdir()
    (disk / name).symlink_to(others)
    with pytest.raises(
        InputError, match=f"{name}: is a symbolic link, expected a folder; make .*runs the link instead"
    ):
        Store(tmp_path / "runs").prepare()


def test_many_commands_can_prepare_one_folder_at_a_time(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Store(tmp_path).prepare(), range(200)))
    assert not list(Store(tmp_path).trials.iterdir())


def test_temporary_files_of_killed_commands_are_removed_once_they_are_old(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: None)  # as if killed before
        for folder in (store.trials, store.checkpoints):
            for name in ("young", "old"):
                sealed.write(folder / f"{name}.json", {}, {})
    for path in store.root.glob("*/.old*"):
        os.utime(path, (0, 0))
    store.prepare()
    assert [path.name.split(".")[1] for path in store.root.glob("*/.*")] == ["young", "young"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_path_that_no_file_system_takes_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="--out .*"):
        Store(tmp_path / name)


def test_steps_that_are_read_are_whole_numbers(store, trial):
    """As those of a training are: what is written again after a resume has the same bytes."""
    store.write("key", trial, "sum", result())
    steps = store.read("key").records["step"]
    assert list(map(repr, steps)) == ["1", "2"]
