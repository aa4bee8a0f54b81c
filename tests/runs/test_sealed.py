"""Files that prove to be as they were written; what is made of others is in test_store and test_checkpoint."""

import numpy as np
import pytest

from bnrenorm import disk
from bnrenorm.runs import sealed
from bnrenorm.runs.sealed import Damaged


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.json"
    sealed.write(path, {"key": "a"}, {"x": np.zeros(100)})
    return path


def test_the_file_that_says_there_is_something_is_deleted_last(path, monkeypatch):
    """A kill between the two leaves arrays that nobody looks for, and no trial without its own."""
    deleted, real = [], disk.delete
    monkeypatch.setattr(disk, "delete", lambda file: deleted.append(file.suffix) or real(file))
    sealed.delete(path)
    assert deleted == [".npz", ".json"]
    assert not list(path.parent.iterdir())


def test_a_link_that_leads_to_itself_is_a_missing_file(path):
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(Damaged, match="a.json is missing"):
        sealed.read(path)


def test_the_size_is_that_of_both_files(path):
    assert sealed.size(path) == sum(file.stat().st_size for file in path.parent.iterdir()) > 800
    path.with_suffix(".npz").unlink()
    assert sealed.size(path) == path.stat().st_size
