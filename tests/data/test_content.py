"""What a file is, and that nothing but a regular file of bounded size is ever read."""

import contextlib
import gzip
import os
import socket

import numpy as np
import pytest

from bnrenorm.data import content
from bnrenorm.errors import InputError

BYTE = np.dtype(np.uint8)


def kind_of(path, head):
    path.write_bytes(head)
    with content.opened(path) as opened:
        return opened.kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\x08\x03", content.IDX),
        (b"PK\x03\x04", content.NPZ),
        (b"\x93NUMPY\x01\x00", content.NPY),
        (b"label,pixel0\n1,2\n", content.CSV),
        ("\ufefflabel,pixel0\n".encode(), content.CSV),
        (b"", "empty"),
        (b"<!DOCTYPE html><html>403</html>", "a web page instead of the file"),
        (b'\n<?xml version="1.0"?>', "a web page instead of the file"),
        (b"\x80\x04\x95", "a pickle, which is never loaded"),
        (b"\x89PNG\r\n", "a PNG image"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer instead of the file"),
        (b"pixel0,label\r\n1,2\r\n", content.CSV),
        (b"label\tpixel0\n1\t2\n", "text separated by tabs instead of commas"),
        (b"label;pixel0\n1;2\n", "text separated by semicolons instead of commas"),
        ("label,pixel0".encode("utf-16"), "text in UTF-16 instead of UTF-8"),
        ("\ufefflabel,pixel0".encode("utf-16-be"), "text in UTF-16 instead of UTF-8"),
        (b" \n", "text that starts with ''"),
        (b"1 1:0.5 2:0.25\n", "text that starts with '1 1:0.5 2:0.25'"),
        (b"\x01\x02\xff,", "of an unknown format that starts with the bytes 01 02 ff 2c"),
    ],
)
def test_the_first_bytes_tell_what_a_file_is_packed_or_not(tmp_path, head, kind):
    assert kind_of(tmp_path / "file", head) == kind
    if kind != content.NPZ:
        assert kind_of(tmp_path / "file.gz", gzip.compress(head)) == kind


def test_what_is_packed_twice_is_called_so(tmp_path):
    assert kind_of(tmp_path / "a", gzip.compress(gzip.compress(b"x"))) == "gzipped twice"
    assert kind_of(tmp_path / "a", gzip.compress(b"PK\x03\x04")) == "a gzipped zip archive"


@contextlib.contextmanager
def pipe(path):
    """Make a pipe that can be opened and read from without waiting for its writer, lest a failure hangs."""
    os.mkfifo(path)
    with path.open("r+b", buffering=0) as file:
        file.write(bytes(600))
        yield


@contextlib.contextmanager
def device(path):
    path.symlink_to("/dev/zero")
    yield


@contextlib.contextmanager
def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        yield


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
@pytest.mark.parametrize(("make", "kind"), [(pipe, "a pipe"), (device, "a device"), (bound_socket, "a socket")])
def test_nothing_but_a_regular_file_is_opened(tmp_path, monkeypatch, make, kind):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    expected = f"x: is {kind}, expected a regular file"
    with make(tmp_path / "x"), pytest.raises(InputError, match=expected), content.opened(tmp_path / "x"):
        pass


def test_a_file_beyond_the_limit_is_not_opened(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(50 * 10**9)  # takes no room on the disk
    with (
        pytest.raises(InputError, match="large: has 50,000,000,000 bytes, the limit is 4,294,967,296"),
        content.opened(path),
    ):
        pass


class Refusing:
    """A file that must not be read."""

    def read(self, size):
        raise AssertionError(size)


@pytest.mark.parametrize(
    ("shape", "capacity", "message"),
    [
        ((10**29,), 10**6, "announces shape .* the limit is 1,073,741,824 bytes"),
        ((2**15, 2**16), 2**40, "announces shape"),
        ((-1, 5), 10**6, "announces shape"),
        ((2**10, 2**10), 2**20 - 1, "announces 1,048,576 bytes, but can hold 1,048,575 at most"),
    ],
)
def test_an_announced_size_is_checked_before_memory_is_taken(shape, capacity, message):
    with pytest.raises(InputError, match=f"x: {message}"):
        content.Content("x", Refusing(), capacity).array(shape, BYTE)


def test_a_gzip_file_cannot_announce_more_than_it_can_hold(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(100)))
    with (
        content.opened(path) as opened,
        pytest.raises(InputError, match=r"announces 1,073,741,824 bytes, but can hold"),
    ):
        opened.array((2**30,), BYTE)


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError(), SyntaxError("no"), OSError(5, "I/O error")])
def test_whatever_a_parser_raises_is_one_line_that_names_the_file(tmp_path, error):
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match="a: cannot be read: .") as caught, content.opened(tmp_path / "a"):
        raise error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [30, -30, -1])
@pytest.mark.parametrize("pack", ["zip", "gzip"])
def test_a_packed_file_that_ends_too_early_is_called_so(tmp_path, pack, cut):
    path = tmp_path / "a"
    with path.open("wb") as file:
        np.savez(file, x=np.arange(500)) if pack == "zip" else file.write(gzip.compress(os.urandom(1000)))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="a: is cut off or damaged$"), content.opened(path) as opened:
        np.load(opened.file) if pack == "zip" else opened.file.read()
