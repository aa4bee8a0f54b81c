"""Data sets written as four IDX files, which are read back as they were."""

import time

import numpy as np
import pytest

from bnrenorm.data import files, mnist
from bnrenorm.errors import InputError

CHANGED = {
    "MNIST's": {},
    "flat": {"x_train": np.ones((5, 12), np.uint8), "x_test": np.ones((2, 12), np.uint8)},
    "colours": {"x_train": np.ones((5, 3, 4, 3), np.uint8), "x_test": np.ones((2, 3, 4, 3), np.uint8)},
    "floats": {"x_train": np.linspace(0, 1, 60, dtype=np.float32).reshape(5, 3, 4)},
    "many classes": {"y_train": np.arange(300, dtype=np.int32)},
}


@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
def test_what_is_exported_is_read_back_without_loss(tmp_path, arrays, changes):
    exported = {**arrays, **changes}
    paths = files.export(exported, tmp_path / "new" / "folder")
    found, _ = files.read(tmp_path / "new" / "folder")
    assert found.keys() == exported.keys()
    assert all(np.array_equal(found[name], exported[name]) for name in exported)
    if not changes:
        assert [path.name for path in paths] == [f"{name}.gz" for name in mnist.MD5]


def test_exporting_twice_writes_the_same_bytes_and_leaves_nothing_else(tmp_path, arrays, monkeypatch):
    """Whenever that is: gzip notes the time, if it is let."""
    paths = files.export(arrays, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert files.export(arrays, tmp_path) == paths
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert set(before) == set(paths)


@pytest.mark.parametrize(
    "name", ["train-images-idx3-ubyte", "train-images-idx2-ubyte.gz", "x_test.npy", "emnist-test-labels-idx1-ubyte"]
)
def test_a_folder_with_files_of_another_data_set_is_not_exported_to(tmp_path, arrays, name):
    """They would be read in place of the exported ones, or next to them."""
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"has {name} of another data set, expected an empty folder"):
        files.export(arrays, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be_written_is_named(tmp_path, arrays):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written"):
        files.export(arrays, tmp_path / "file")
