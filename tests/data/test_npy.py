import io
import struct
import zipfile

import numpy as np
import pytest

from bnrenorm.data import npy
from bnrenorm.data.content import opened
from bnrenorm.errors import InputError

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def read(path):
    with opened(path) as content:
        return npy.read_archive(content, lambda keys: {key: key for key in keys})["x"]


def member(array=ARRAY, **changes):
    """Return the bytes of an .npy file, with changes to its header."""
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **changes}
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


def archive(path, data, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as made:
        made.writestr("x.npy", data)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("array", [ARRAY, np.asfortranarray(ARRAY), ARRAY.astype(">f8"), ARRAY > 1, np.float32([])])
def test_arrays_come_back(tmp_path, save, array):
    save(tmp_path / "a.npz", x=array, other=np.array([{}], object))
    with opened(tmp_path / "a.npz") as content:
        found = npy.read_archive(content, lambda keys: {"chosen": "x"} if "other" in keys else {})["chosen"]
    assert found.dtype == array.dtype
    assert (found == array).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}, 1], object), "x: holds pickled Python objects, expected numbers"),
        (np.array(["a"]), "x: holds data of type <U1"),
        (np.zeros(3, "V0"), "x: holds data of type"),
        (np.zeros(3, complex), "x: holds data of type complex128"),
        (np.zeros(3, "M8[s]"), "x: holds data of type datetime64"),
    ],
)
def test_what_is_no_number_is_refused_unread(tmp_path, array, message):
    np.savez(tmp_path / "a.npz", x=array)
    with pytest.raises(InputError, match=f"a.npz: {message}"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (member(shape=(10**29,)), "x: announces shape"),
        (member(shape=(2**20, 2**20)), "x: announces shape"),
        (member(shape=(-2, -3)), "x: announces shape"),
        (member(shape=(10**6, 3)), "x: announces 12,000,000 bytes, but can hold"),
        (member(shape=(2, 4)), "x: (announces 32 bytes|truncated: 24 of 32)"),
        (member(shape=(2, 2)), "x: longer than the 16 bytes"),
        (member(ARRAY[:1, :1], shape=(1,) * 65), "cannot be read"),
        (b"\x93NUMPY\x09\x09" + member()[8:], "x: has version 9.9 of .npy"),
        (member()[:20], "cannot be read"),
        (b"no array", "cannot be read"),
        (member().replace(b"{", b"("), "cannot be read"),
        (b"\x93NUMPY\x01\x00\x00\x10" + b"1" * 0x1000, r"cannot be read: .{300}\.\.\.$"),
    ],
)
def test_a_damaged_array_is_refused(tmp_path, data, message):
    with pytest.raises(InputError, match=f"a.npz: {message}"):
        read(archive(tmp_path / "a.npz", data))


def test_version_2_of_the_header_is_read(tmp_path):
    """It has four bytes for its length: NumPy writes it where two do not suffice."""
    file = io.BytesIO()
    np.lib.format.write_array(file, ARRAY, version=(2, 0))
    assert (read(archive(tmp_path / "a.npz", file.getvalue())) == ARRAY).all()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_size_that_the_archive_lies_about_takes_no_memory(tmp_path, compression):
    """The directory and the array announce half a gigabyte, the packed bytes cannot hold it."""
    path = archive(tmp_path / "a.npz", member(shape=(2**27,)), compression)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 2**30)  # the unpacked size, in the directory
    path.write_bytes(data)
    ratio = 1 if compression == zipfile.ZIP_STORED else 1032
    (packed,) = struct.unpack_from("<I", data, data.index(b"PK\x01\x02") + 20)
    with pytest.raises(InputError, match=f"x: announces 536,870,912 bytes, but can hold {ratio * packed:,} at most"):
        read(path)


@pytest.mark.parametrize(
    ("compression", "message"),
    [(zipfile.ZIP_LZMA, "compressed by method 14"), (zipfile.ZIP_BZIP2, "compressed by method 12")],
)
def test_compressions_that_numpy_does_not_write_are_refused(tmp_path, compression, message):
    with pytest.raises(InputError, match=f"a.npz: x: is {message}, expected what np.savez writes"):
        read(archive(tmp_path / "a.npz", member(), compression))


@pytest.mark.parametrize(("offset", "value"), [(4, 99), (6, 1), (8, 77)], ids=["version 9.9", "encrypted", "method"])
def test_features_of_zip_that_python_does_not_know_are_refused(tmp_path, offset, value):
    data = bytearray(archive(tmp_path / "a.npz", member()).read_bytes())
    data[data.index(b"PK\x01\x02") + offset + 2] = data[offset] = value  # in the directory and before the member
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match=r"a.npz: "):
        read(tmp_path / "a.npz")


def test_a_zip_archive_of_other_files_is_called_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("train-images-idx3-ubyte", b"x")
    with pytest.raises(InputError, match=r"a.zip: is a zip archive without .npy files; unpack it"):
        read(tmp_path / "a.zip")
