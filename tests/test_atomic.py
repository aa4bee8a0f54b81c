"""Writes that are whole or not there: with a full disk, a failing call of the system, and a kill in the middle."""

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from bnrenorm import atomic, disk

resource = pytest.importorskip("resource", reason="no limit of a file's size on this system")

OLD, NEW = "old" * 100, "new" * 100_000
ROOM = 4096  # bytes that a full disk still takes: less than NEW


def test_text_and_bytes_replace_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    atomic.write(path, "nü")
    assert path.read_bytes() == "nü".encode()
    atomic.write(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert os.listdir(tmp_path) == ["file"]


@contextmanager
def full_disk():
    """Let the system refuse to write more than ROOM bytes to a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("exists", [True, False])
def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path, exists):
    path = tmp_path / "file"
    if exists:
        path.write_text(OLD)
    with full_disk(), pytest.raises(OSError, match=re.escape(f"File too large: '{path}'")):
        atomic.write(path, NEW)
    assert os.listdir(tmp_path) == (["file"] if exists else [])
    assert not exists or path.read_text() == OLD


def test_an_error_names_the_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError, match=re.escape(f"No such file or directory: '{path}'") + "$"):
        atomic.write(path, NEW)
    path.mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=re.escape(f"Is a directory: '{path}'") + "$"):
        atomic.write(path, NEW)


@pytest.mark.parametrize(("owner", "name"), [(Path, "open"), (os, "fsync"), (os, "replace")])
def test_a_failure_of_any_call_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, owner, name):
    path = tmp_path / "file"
    path.write_text(OLD)

    def fail(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(OSError, match="No space left"):
            atomic.write(path, NEW)
    assert path.read_text() == OLD
    assert os.listdir(tmp_path) == ["file"]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def interrupt(path, by):
        raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_text(OLD)
    monkeypatch.setattr(disk, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(path, NEW)
    assert path.read_text() == OLD
    assert os.listdir(tmp_path) == ["file"]


def test_a_temporary_file_is_a_new_one_and_no_link_of_somebody_else(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text(OLD)
    (tmp_path / "link").symlink_to(precious)
    for path in (precious, tmp_path / "link"):
        with pytest.raises(FileExistsError):
            disk.create(path, b"new")
    assert precious.read_text() == OLD


KILLED = """
import os, resource, signal, sys
from pathlib import Path
from bnrenorm import atomic
path, name, number, new = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.stdin.read()
if name == "write":  # the system kills a program that writes beyond the limit
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
else:
    real, calls = getattr(os, name), 0
    def counted(*arguments, **named):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    setattr(os, name, counted)
atomic.write(path, new)
"""


@pytest.mark.parametrize(
    ("name", "number", "want"),
    [
        ("write", ROOM, OLD),
        ("fsync", 1, OLD),
        ("replace", 1, OLD),
        ("fsync", 2, NEW),  # that of the folder, after the rename
    ],
    ids=lambda value: {OLD: "old", NEW: "new"}.get(value),
)
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path, name, number, want):
    path = tmp_path / "file"
    path.write_text(OLD)
    command = [sys.executable, "-c", KILLED, str(path), name, str(number)]
    done = subprocess.run(command, input=NEW, text=True, capture_output=True)
    assert done.returncode == -(signal.SIGXFSZ if name == "write" else signal.SIGKILL), done.stderr
    assert path.read_text() == want
    left = [other for other in os.listdir(tmp_path) if other != "file"]
    assert all(other.startswith(".file.") for other in left)  # which no reader takes for a result
    assert len(left) == (want == OLD)
    atomic.write(path, "later")
    assert path.read_text() == "later"


def test_the_file_is_synced_before_it_is_renamed_and_the_folder_afterwards(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: events.append(f"fsync {os.fstat(fd).st_size}") or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda a, b: events.append("replace") or replace(a, b))
    atomic.write(tmp_path / "file", "x" * 100)  # less than Python buffers
    assert events[:2] == ["fsync 100", "replace"]
    assert len(events) == 3


def test_a_result_is_as_readable_as_other_files(tmp_path):
    atomic.write(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text(OLD)
    link.symlink_to(target)
    atomic.write(link, "new")
    assert (target.read_text(), link.read_text()) == (OLD, "new")
    assert not link.is_symlink()


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EIO])
def test_a_file_system_that_cannot_sync_folders_is_no_failing_disk(tmp_path, monkeypatch, code):
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    named = re.escape(f"Input/output error: '{tmp_path}'")
    with pytest.raises(OSError, match=named) if code == errno.EIO else nullcontext():
        atomic.write(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_only_temporary_files_older_than_a_day_are_abandoned(tmp_path):
    ages = {".a.json.1234.tmp": 25, ".b.json.1234.tmp": 23, "c.tmp": 25, ".lock": 25}
    for name, hours in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, time.time() - 3600 * hours))
    atomic.remove_abandoned(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".b.json.1234.tmp", ".lock", "c.tmp"]
