import gzip
import struct

import numpy as np
import pytest

from bnrenorm.data import idx
from bnrenorm.data.content import opened
from bnrenorm.errors import InputError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def read(path, data):
    path.write_bytes(data)
    with opened(path) as content:
        return idx.read(content)


@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", ">i4", ">f4", ">f8", "<i4", "<f4"])
@pytest.mark.parametrize("shape", [(24,), (6, 4), (2, 3, 4), (2, 3, 2, 2)])
def test_an_array_of_any_type_and_shape_comes_back(tmp_path, dtype, shape):
    array = np.arange(24).astype(dtype).reshape(shape)
    for data in (idx.encode(array), gzip.compress(mtime=0, data=idx.encode(array))):
        found = read(tmp_path / "a", data)
        assert (found.dtype.kind, found.dtype.itemsize) == (array.dtype.kind, array.dtype.itemsize)
        assert (found == array).all()


@pytest.mark.parametrize(
    ("code", "letter", "dtype", "values"),
    [
        (0x08, "B", "u1", [0, 200, 255]),
        (0x09, "b", "i1", [-128, 3, 127]),
        (0x0B, "h", "i2", [-300, 1, 258]),
        (0x0C, "i", "i4", [-70_000, 1, 65_537]),
        (0x0D, "f", "f4", [-1.5, 0.1, 3e30]),
        (0x0E, "d", "f8", [-1.5, 0.1, 1e300]),
    ],
)
def test_files_are_big_endian_as_the_format_says(tmp_path, code, letter, dtype, values):
    """Bytes from `struct`: what `encode` wrote in another order, `read` would read back all the same."""
    data = struct.pack(f">HBBII3{letter}", 0, code, 2, 3, 1, *values)
    array = np.array(values, dtype).reshape(3, 1)
    found = read(tmp_path / "a", data)
    assert found.shape == (3, 1)
    assert (found == array).all()
    assert idx.encode(array) == data


def test_names_tell_dimensions_and_type():
    assert [idx.suffix(IMAGES), idx.suffix(np.zeros(2, np.int32)), idx.suffix(np.zeros((2, 5), np.float32))] == [
        "idx3-ubyte",
        "idx1-int",
        "idx2-float",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "starts with the bytes , expected IDX"),
        (struct.pack(">HBBI", 0, 7, 1, 1) + b"x", "starts with the bytes 00 00 07 01"),
        (struct.pack(">HBB", 0, 8, 0) + b"x", "starts with the bytes 00 00 08 00"),
        (struct.pack(">HBBI", 0, 8, 2, 1), "truncated in the header"),
        (struct.pack(">HBBIII", 0, 8, 3, 1, 2, 3) + b"xxxxx", "announces 6 bytes|truncated: 5 of 6 bytes"),
        (struct.pack(">HBBIII", 0, 8, 3, 1, 2, 3) + b"xxxxxxx", "longer than the 6 bytes"),
        (struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**10, 28), "announces shape"),
        (struct.pack(">HBBIII", 0, 8, 3, 2**9, 2**10, 28), "announces 14,680,064 bytes, but can hold 16 at most"),
        (struct.pack(">HBB", 0, 8, 255) + bytes(4 * 255), "cannot be read"),
        (
            struct.pack(">HBB", 0, 8, 255) + b"a" * 4 * 255,
            r"announces shape \(1633771873.{289}\.\.\. of uint8, the limit",
        ),
        (gzip.compress(mtime=0, data=idx.encode(IMAGES))[:-12], "is cut off or damaged$"),
        (gzip.compress(mtime=0, data=idx.encode(IMAGES))[:20] + b"garbage", "is cut off or damaged$"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, data, message):
    with pytest.raises(InputError, match=f"images: (?:{message})"):
        read(tmp_path / "images", data)


def test_a_gzip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    """A small file that unfolds to many megabytes: only what its header announces is ever asked for."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(">HBBIII", 0, 8, 3, 1, 28, 28))
        file.write(bytes(2**24))
    asked = []
    real = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: asked.append(size) or real(self, size))
    with opened(path) as content, pytest.raises(InputError, match="longer than the 784 bytes"):
        idx.read(content)
    assert min(asked) >= 0
    assert max(asked) <= 784
