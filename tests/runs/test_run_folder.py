import errno
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

from bnrenorm.config.plugins import Plugin
from bnrenorm.errors import InputError
from bnrenorm.runs import run_folder
from tests.helpers import COMPARED, experiment_of

IMAGES = "0123"


def experiment(text=COMPARED):
    return experiment_of(text)


def test_one_experiment_has_one_folder_that_tells_what_it_is(tmp_path):
    with run_folder.opened(tmp_path, experiment(), IMAGES) as path:
        assert path == run_folder.path_of(tmp_path, experiment(), IMAGES)
        assert json.loads((path / ".owner.json").read_text())["pid"] == os.getpid()
        assert "r_max: 3.0" in (path / "experiment.yaml").read_text()
    assert not (path / ".owner.json").exists()
    assert run_folder.path_of(tmp_path, experiment(COMPARED.replace("seeds: 2", "seeds: 3")), IMAGES) != path


def test_a_command_that_a_message_tells_survives_a_shell():
    run, out = Path("my runs/compared-1"), Path("it's all")
    command = run_folder.command(run, out, "--set 'seeds=[0,2]'")
    expected = ["bnrenorm", "compare", str(run), "--set", "seeds=[0,2]", "--out", str(out)]
    assert shlex.split(command) == expected


def test_images_of_ones_own_have_a_folder_wherever_they_lie(tmp_path):
    def folder(path, checksum):
        return run_folder.path_of(tmp_path, experiment(f"{COMPARED}data: {{path: {path}}}\n"), checksum)

    assert folder("a.npz", "0") == folder("/b/a.npz", "0")
    assert folder("a.npz", "0") != folder("a.npz", "1")
    assert folder("null", "0") == folder("null", "1"), "the shipped images are the same everywhere"


HOLD = """
import sys, time
from pathlib import Path
from bnrenorm.runs import run_folder
from bnrenorm.config import document
from bnrenorm.config.build import build
with run_folder.opened(Path(sys.argv[1]), build(document.parse(sys.stdin.read(), "x.yaml")), "0"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_pid_and_host_and_a_dead_ones_lock_is_taken_over(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], **pipes) as holder:
        holder.stdin.write(COMPARED)
        holder.stdin.close()
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(InputError, match=f"process {holder.pid} on .* is writing there"),
            run_folder.opened(tmp_path, experiment(), IMAGES),
        ):
            raise AssertionError("two writers")
        holder.kill()
        holder.wait()
    with run_folder.opened(tmp_path, experiment(), IMAGES) as path:
        assert path.is_dir()


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[]", b'{"pid": 3}'])
def test_a_writer_that_cannot_be_named_is_another_process(tmp_path, monkeypatch, content):
    monkeypatch.setattr(run_folder, "_MOMENT", 0.01)
    (tmp_path / ".owner.json").write_bytes(content)
    held = f"^{tmp_path}: another process is writing there$"
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(InputError, match=held), run_folder.locked(tmp_path):
        raise AssertionError("two writers")


def test_who_holds_the_lock_for_a_moment_keeps_no_writer_out(tmp_path):
    """As whoever asks for the folder's state does."""
    lock = filelock.FileLock(tmp_path / ".lock", thread_local=False)
    lock.acquire()
    threading.Timer(0.1, lock.release).start()
    with run_folder.locked(tmp_path):
        assert not lock.is_locked


def test_asking_leaves_nothing_in_a_folder_and_follows_no_link(tmp_path):
    assert run_folder.state(tmp_path) == "unfinished"
    assert not list(tmp_path.iterdir())
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    assert run_folder.state(tmp_path) == "unfinished"
    assert (tmp_path / "precious").read_text() == "precious"


def interrupted(tmp_path, text=COMPARED):
    with pytest.raises(KeyboardInterrupt), run_folder.opened(tmp_path, experiment(text), IMAGES) as path:
        raise KeyboardInterrupt
    return path


def test_unfinished_are_other_experiments_of_the_same_name(tmp_path, monkeypatch):
    folder = interrupted(tmp_path)
    interrupted(tmp_path, COMPARED.replace("name: compared", "name: compared-lr"))
    interrupted(tmp_path, COMPARED.replace("name: compared", "name: comp"))
    shutil.copytree(folder, folder.with_name(f"{folder.name}-copy"))
    changed = experiment(COMPARED.replace("steps: 4", "steps: 5"))
    changed_folder = run_folder.path_of(tmp_path, changed, IMAGES)
    assert run_folder.unfinished(folder) == []
    assert run_folder.unfinished(changed_folder) == [folder]
    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "RESULTS", 0)
        assert run_folder.unfinished(changed_folder) == [], "another version began it"
    with run_folder.opened(tmp_path, experiment(), IMAGES):
        assert run_folder.unfinished(changed_folder) == []  # it has a writer
    assert run_folder.unfinished(changed_folder) == []  # it has ended


@pytest.mark.parametrize("name", [".lock", ".owner.json", "experiment.yaml"])
def test_links_in_the_folder_are_replaced_and_not_written_through(tmp_path, name):
    folder, precious = run_folder.path_of(tmp_path, experiment(), IMAGES), tmp_path / "precious"
    folder.mkdir()
    precious.write_text("precious")
    (folder / name).symlink_to(precious)
    with run_folder.opened(tmp_path, experiment(), IMAGES):
        assert not (folder / name).is_symlink()
    assert precious.read_text() == "precious"


def test_the_folder_itself_is_no_link_but_its_parent_may_be(tmp_path):
    disk, others = tmp_path / "disk", tmp_path / "others"
    disk.mkdir()
    others.mkdir()
    (tmp_path / "runs").symlink_to(disk)
    with run_folder.opened(tmp_path / "runs", experiment(), IMAGES) as folder:
        assert (disk / folder.name / "experiment.yaml").is_file()
    other = experiment(COMPARED.replace("name: compared", "name: other"))
    run_folder.path_of(disk, other, IMAGES).symlink_to(others)
    with (
        pytest.raises(InputError, match="is a symbolic link, expected a folder; make .*runs the link instead"),
        run_folder.opened(tmp_path / "runs", other, IMAGES),
    ):
        raise AssertionError("written through")
    assert not list(others.iterdir())


def test_the_folder_of_plugins_in_it_is_no_link_either(tmp_path):
    folder, others = run_folder.path_of(tmp_path, experiment(), IMAGES), tmp_path / "others"
    others.mkdir()
    folder.mkdir()
    (folder / "plugins").symlink_to(others)
    mine = replace(experiment(), plugins=(Plugin(tmp_path / "mine.py", b"pass"),))
    with pytest.raises(InputError, match="plugins: is a symbolic link"), run_folder.opened(tmp_path, mine, IMAGES):
        raise AssertionError("written through")
    assert not list(others.iterdir())


@pytest.mark.parametrize("compared", [False, True])
def test_a_mistake_leaves_no_folder_unless_something_was_compared_in_it(tmp_path, compared):
    """Once it is mended, say in a norm of one's own, the folder is another one, and nothing would go on with this."""
    path = run_folder.path_of(tmp_path, experiment(), IMAGES)
    if compared:
        path.mkdir()
        (path / "verdict.json").write_text("[]")
    with pytest.raises(InputError, match="of mine"), run_folder.opened(tmp_path, experiment(), IMAGES):
        raise InputError("norm of mine")
    assert path.exists() == compared


def test_an_error_that_is_no_mistake_leaves_the_folder(tmp_path):
    with pytest.raises(OSError, match="full"), run_folder.opened(tmp_path, experiment(), IMAGES) as path:
        raise OSError("full")
    assert (path / "experiment.yaml").is_file()
    assert run_folder.state(path) == "unfinished"


def test_temporary_files_of_killed_commands_are_removed_once_they_are_old(tmp_path):
    folder = run_folder.path_of(tmp_path, experiment(), IMAGES)
    folder.mkdir()
    for name in (".loss.png.1a.tmp", ".loss.png.2b.tmp"):
        (folder / name).touch()
    os.utime(folder / ".loss.png.1a.tmp", (0, 0))
    with run_folder.opened(tmp_path, experiment(), IMAGES):
        assert [path.name for path in folder.glob("*.tmp")] == [".loss.png.2b.tmp"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused_in_one_line(tmp_path, monkeypatch, number):
    """No file takes the lock's place: it would stay if its process is killed, and hold up every other host."""

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    refused = f"--out .*: its file system cannot lock files \\({os.strerror(number)}\\), expected one that can"
    with pytest.raises(InputError, match=refused), run_folder.opened(tmp_path, experiment(), IMAGES):
        raise AssertionError("opened without a lock")
    assert run_folder.state(run_folder.path_of(tmp_path, experiment(), IMAGES)) != "being written"


def test_another_fault_of_the_disk_is_not_taken_for_a_file_system_without_locks(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error"), run_folder.opened(tmp_path, experiment(), IMAGES):
        raise AssertionError("opened without a lock")


def test_a_folder_that_may_only_be_read_is_refused_in_one_line(tmp_path, monkeypatch):
    def acquire(lock, **options):
        raise PermissionError(13, "Permission denied", lock.lock_file)

    monkeypatch.setattr(run_folder.filelock.FileLock, "acquire", acquire)
    with (
        pytest.raises(InputError, match=f"^{tmp_path}/.lock: cannot be written: Permission denied$"),
        run_folder.locked(tmp_path),
    ):
        raise AssertionError("opened without a lock")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", ".lock"), OSError(38, "no flock")])
def test_a_folder_that_cannot_be_locked_has_a_state(tmp_path, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    with run_folder.opened(tmp_path, experiment(), IMAGES) as path:
        (path / "verdict.json").write_text("[]")
    monkeypatch.setattr(run_folder.filelock.FileLock, "acquire", refuse)
    assert run_folder.state(path) == "finished"
