"""`bnrenorm runs`, on folders that look like those of runs."""

import json
import os

import pytest

from bnrenorm import disk
from bnrenorm.config.trial import RESULTS
from bnrenorm.runs import inventory

KEYS = [f"{i:016}" for i in range(3)]


@pytest.fixture
def out(tmp_path):
    for name, keys, is_finished in (("a-00000000", KEYS[:2], True), ("b-11111111", KEYS, False)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "experiment.yaml").write_text("name: a\n")
        (folder / ".trials.json").write_text(json.dumps(keys))
        if is_finished:
            (folder / "verdict.json").write_text("[]")
        else:
            (folder / ".owner.json").write_text(json.dumps({"results": RESULTS}))
        for path in folder.iterdir():
            os.utime(path, (1e9 + is_finished, 1e9 + is_finished))
    (tmp_path / "trials").mkdir()
    for key in KEYS[:2]:
        (tmp_path / "trials" / f"{key}.json").write_text("x" * 1024)
    return tmp_path


def test_a_run_that_another_version_began_is_not_gone_on_with(call, out):
    (out / "b-11111111" / ".owner.json").write_text(json.dumps({"results": RESULTS - 1}))
    _, text, _ = call("runs", "--out", out)
    assert "unfinished" in text
    assert "goes on with" not in text


def test_runs_of_other_users_are_named_and_their_trials_kept(call, out, monkeypatch):
    """Root may look into all folders: this pretends that it may not."""
    monkeypatch.setattr(disk, "may_enter", lambda folder: folder.name != "b-11111111")
    is_file = disk.is_file
    monkeypatch.setattr(disk, "is_file", lambda path: "b-11111111" not in str(path) and is_file(path))
    monkeypatch.setattr(
        inventory, "listed", lambda folder, real=inventory.listed: None if folder.name[0] == "b" else real(folder)
    )
    _, text, _ = call("runs", "--out", out)
    assert ["b-11111111", "closed"] in [line.split() for line in text.splitlines()], "no trials, size or date"
    assert "goes on with" not in text
    code, text, _ = call("runs", "--remove", "a-00000000", "--out", out)
    assert (code, "with 0 trials" in text) == (0, True)


def test_runs_are_a_table(call, out):
    code, text, err = call("runs", "--out", out)
    assert (code, err) == (0, "")
    title, heading, _, *rows = [line.split() for line in text.splitlines()]
    assert title == ["runs", "in", str(out)]
    assert heading == ["run", "state", "trials", "size", "last", "written"]
    assert rows[0][:7] == ["b-11111111", "unfinished", "2", "of", "3", "2.08", "KiB"]
    assert rows[1][:7] == ["a-00000000", "finished", "2", "of", "2", "2.05", "KiB"]
    assert f"bnrenorm compare {out}/b-11111111/experiment.yaml --out {out} goes on with an unfinished run." in text


def test_trials_of_shards_are_told_where_there_is_no_run_of_them(call, out):
    (out / "trials" / f"{KEYS[2][:-1]}9.json").write_text("x")
    told = f"1 trial in {out}/trials that no run lists, as of shards"
    assert f"\nThere is {told}.\n" in call("runs", "--out", out)[1]
    for name in ("a-00000000", "b-11111111"):
        call("runs", "--out", out, "--remove", name)
    assert call("runs", "--out", out) == (0, f"{out}: no runs; {told}\n", "")


def test_a_run_is_removed_by_name_or_folder(call, out):
    code, text, err = call("runs", "--out", out, "--remove", "b-11111111")
    assert (code, err) == (0, "")
    assert text.startswith(f"{out}/b-11111111 removed, with 0 trials: ")
    assert text.endswith("; 2 trials that other runs use or may use stay\n")
    assert not (out / "b-11111111").exists()
    assert len(list((out / "trials").iterdir())) == 2
    assert "removed, with 2 trials" in call("runs", "--out", out, "--remove", f"{out}/a-00000000/")[1]
    assert call("runs", "--out", out) == (0, f"{out}: no runs\n", "")
    assert call("runs", "--out", out / "typo") == (2, "", f"bnrenorm: {out / 'typo'}: no such folder\n")


def test_a_name_that_no_file_system_takes_is_one_line(call, out):
    code, text, err = call("runs", "--out", out, "--remove", "a" * 300)
    assert (code, text, err.count("\n")) == (2, "", 1)
    assert "unknown run 'aaa" in err


def test_an_unknown_run_is_one_line(call, out):
    code, text, err = call("runs", "--out", out, "--remove", "a-00000001")
    assert (code, text, err.count("\n")) == (2, "", 1)
    assert "unknown run 'a-00000001'; did you mean a-00000000?" in err


@pytest.mark.parametrize("name", ["a-00000000", "c-22222222"])
def test_a_run_of_another_folder_is_not_mistaken_for_one_of_the_same_name(call, out, name):
    """Nor is one of another name that is like one here offered."""
    other = out / "other" / name
    other.mkdir(parents=True)
    (other / "experiment.yaml").touch()
    code, text, err = call("runs", "--out", out, "--remove", other)
    assert (code, text) == (2, "")
    assert f"--remove {other}: is not in {out}, expected a run there, or its folder as --out\n" in err
    code, text, err = call("runs", "--out", out, "--remove", out / "nowhere" / name)
    assert (code, text) == (2, "")
    assert "unknown run" in err
    assert (out / "a-00000000").is_dir()
