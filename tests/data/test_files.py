import gzip
import io
import struct
import zipfile

import numpy as np
import pytest

from bnrenorm.data import files
from bnrenorm.errors import InputError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture
def folder(tmp_path):
    arrays = {"x_train": IMAGES, "y_train": np.array([0, 1], np.uint8), "x_test": IMAGES[:1], "y_test": np.uint8([1])}
    files.export(arrays, tmp_path)
    return tmp_path


def test_what_is_exported_is_read_back(folder):
    arrays = files.read_folder(folder)
    assert (arrays["x_train"] == IMAGES).all()
    assert arrays["x_test"].shape == (1, 3, 4)
    assert list(arrays["y_train"]) == [0, 1]


def test_exporting_twice_writes_the_same_bytes_and_leaves_nothing_else(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    files.export(files.read_folder(folder), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(before) == sorted(f"{stem}.gz" for stem in files.ARRAYS.values())


def test_files_may_be_unpacked(folder):
    for path in list(folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert (files.read_folder(folder)["x_train"] == IMAGES).all()


def test_a_missing_file_is_named_with_both_of_its_names(folder):
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz"):
        files.read_folder(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack(">HBBII", 0, 8, 2, 1, 1) + b"x", "magic number 2050, expected 2051"),
        (struct.pack(">HBBIII", 0, 13, 3, 1, 1, 1) + b"xxxx", "magic number 3331"),
        (b"", "magic number 0"),
        (struct.pack(">HBBIII", 0, 8, 3, 1, 2, 3) + b"xxxxx", "truncated: 5 of 6 bytes"),
        (struct.pack(">HBBIII", 0, 8, 3, 1, 2, 3) + b"xxxxxxx", "longer than the 6 bytes"),
        (struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**10, 28), "announces"),
        (gzip.compress(files.idx_bytes(IMAGES))[:-12], "cannot be read"),
        (gzip.compress(files.idx_bytes(IMAGES))[:20] + b"garbage", "cannot be read"),
    ],
)
def test_a_bad_idx_file_is_refused(tmp_path, content, message):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"images: {message}"):
        files.read_idx(path, dimensions=3)


def test_a_gzip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    """A small file that unfolds to a gigabyte: only what its header announces is ever asked for."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(">HBBIII", 0, 8, 3, 1, 28, 28))
        for _ in range(64):
            file.write(bytes(2**20))
    asked = []
    real = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: asked.append(size) or real(self, size))
    with pytest.raises(InputError, match="longer than the 784 bytes"):
        files.read_idx(path, dimensions=3)
    assert min(asked) >= 0
    assert max(asked) <= 784


def npz(path, **arrays):
    base = {"x_train": IMAGES, "y_train": np.arange(2), "x_test": IMAGES, "y_test": np.arange(2)}
    np.savez(path, **{**base, **arrays})
    return path


def test_npz_is_read_and_other_arrays_stay_unread(tmp_path):
    path = npz(tmp_path / "a.npz", more=np.array([{}], dtype=object))
    assert (files.read_npz(path)["x_train"] == IMAGES).all()


def test_a_pickle_in_an_npz_is_refused_unopened(tmp_path):
    with pytest.raises(InputError, match=r"a.npz: x_test holds pickled Python objects"):
        files.read_npz(npz(tmp_path / "a.npz", x_test=np.array([{}, 1], dtype=object)))


def test_an_npz_bomb_is_refused_by_its_header(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**20, 2**20)})
    path = npz(tmp_path / "a.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, "x_train.npy": header.getvalue() + bytes(1000)}.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"x_train announces more than the limit"):
        files.read_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_what_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.npz: cannot be read as .npz"):
        files.read_npz(path)


def test_a_truncated_npz_is_refused(tmp_path):
    path = npz(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a.npz: cannot be read"):
        files.read_npz(path)


def test_a_missing_array_is_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x_train=IMAGES)
    with pytest.raises(InputError, match=r"has no array y_train; expected x_train, y_train, x_test, y_test"):
        files.read_npz(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written"):
        files.export({"x_train": IMAGES}, tmp_path / "file")
