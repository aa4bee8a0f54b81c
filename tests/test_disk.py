"""What each operation on files does where there is a file, a folder, a link, a pipe or nothing."""

import os
import stat
from pathlib import Path

import pytest

from bnrenorm import disk


@pytest.fixture
def folder(tmp_path):
    """A folder with one of each kind; `to_x` is a link to x."""
    (tmp_path / "file").write_bytes(b"four")
    (tmp_path / "inner").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "inner", "nothing"):
        (tmp_path / f"to_{name}").symlink_to(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("ask", "names"),
    [
        (disk.exists, {"file", "inner", "pipe", "to_file", "to_inner", "to_nothing"}),
        (disk.is_file, {"file", "to_file"}),
        (disk.is_folder, {"inner", "to_inner"}),
        (disk.is_link, {"to_file", "to_inner", "to_nothing"}),
    ],
    ids=["exists", "is_file", "is_folder", "is_link"],
)
def test_each_question_is_answered_for_each_kind(folder, ask, names):
    kinds = ("file", "inner", "pipe", "nothing", "to_file", "to_inner", "to_nothing")
    assert {name for name in kinds if ask(folder / name)} == names


def test_a_links_own_status_is_not_that_of_its_target(folder):
    assert disk.status(folder / "to_file").st_size == 4
    assert stat.S_ISLNK(disk.own_status(folder / "to_nothing").st_mode)
    with pytest.raises(FileNotFoundError):
        disk.status(folder / "to_nothing")


def test_names_are_sorted_and_those_of_no_folder_are_none_or_an_error(tmp_path):
    names = [f"{i * 37 % 101:03}.{'ab'[i % 2]}" for i in range(100)]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in disk.names(tmp_path)] == sorted(names)
    assert [path.name for path in disk.names(tmp_path, "*.a")] == sorted(names[::2])
    assert [path.name for path in disk.everything_in(tmp_path)] == sorted(names)
    assert disk.names(tmp_path / "none") == []
    with pytest.raises(FileNotFoundError):
        disk.everything_in(tmp_path / "none")


def test_a_regular_file_is_read_up_to_the_limit(folder):
    assert disk.read_regular(folder / "file", 4) == disk.read_regular(folder / "to_file", 4) == b"four"
    with pytest.raises(ValueError, match="expected at most 3 bytes"):
        disk.read_regular(folder / "file", 3)
    for path in (folder / "inner", Path(os.devnull)):  # a device that ends, unlike some
        with pytest.raises(ValueError, match="expected a regular file"):
            disk.read_regular(path, 4)


def test_what_is_gone_needs_no_deletion_and_what_is_there_no_creation(tmp_path):
    for _ in range(2):
        disk.make(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "file").touch()
    for _ in range(2):
        disk.delete(tmp_path / "a" / "b" / "file")
    assert os.listdir(tmp_path / "a" / "b") == []
    disk.delete_folder(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        disk.delete_folder(tmp_path / "a")


def test_an_attempt_to_write_leaves_nothing_and_is_one_in_that_folder(tmp_path):
    disk.try_to_write(tmp_path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        disk.try_to_write(tmp_path / "none")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not list open files")
def test_no_operation_leaves_a_file_open(tmp_path):
    disk.create(tmp_path / "file", b"")
    disk.sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        disk.sync(tmp_path / "none")
    opened = (os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))
    assert not [path for path in opened if path.startswith(str(tmp_path.resolve()))]
