import os

import pytest

from bnrenorm import atomic


def test_text_and_bytes_replace_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    atomic.write(path, "nü")
    assert path.read_bytes() == "nü".encode()
    atomic.write(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_a_failure_at_any_point_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, name):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    if name == "write":
        monkeypatch.setattr(os, "fdopen", fail)
    else:
        monkeypatch.setattr(os, name, fail)
    with pytest.raises(OSError, match="No space left"):
        atomic.write(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_file_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: events.append("fsync") or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda a, b: events.append("replace") or replace(a, b))
    atomic.write(tmp_path / "file", "x")
    assert events[:2] == ["fsync", "replace"]


def test_a_result_is_as_readable_as_other_files(tmp_path):
    atomic.write(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode
