"""The scripts of docs/data.md: pictures in folders become a file that bnrenorm reads, and some of its images another."""

import numpy as np
import pytest
from PIL import Image

from bnrenorm.config.schema import Data
from bnrenorm.data import content, dataset, table
from bnrenorm.errors import InputError
from bnrenorm.numbers import size
from tests.docs import pages

SOME, PICTURES = pages.blocks("docs/data.md", "python")


def draw(folder, names, each):
    """Draw pictures of random sizes, all of whose pixels are 10 in the first class, 20 in the second, and so on."""
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            kind = (".png", ".JPG", ".jpeg")[i % 3]
            Image.new("RGB", (9 + i, 30), (10 * (label + 1),) * 3).save(folder / name / f"{i}{kind}", quality=100)


def made(monkeypatch, folder):
    """Run the script in a folder, and return the images."""
    monkeypatch.chdir(folder)
    exec(PICTURES, {})
    return dataset.load(Data(path="pictures.npz"))


@pytest.fixture(autouse=True)
def readme(tmp_path):
    """What is in such folders besides."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "README.txt").touch()
    draw(tmp_path / "pictures", ["__MACOSX", ".ipynb_checkpoints"], 1)


def test_pictures_that_are_divided_stay_so(tmp_path, monkeypatch, capsys):
    for split, each in (("train", 4), ("test", 2)):
        draw(tmp_path / "pictures" / split, ["cat", "dog"], each)
    images = made(monkeypatch, tmp_path)
    assert capsys.readouterr().out == "8 pictures of 2 classes to train\n4 pictures of 2 classes to test\n"
    assert images.x_train.shape == (8, 28, 28)
    for x, y in ((images.x_train, images.y_train), (images.x_test, images.y_test)):
        assert abs(x.mean((1, 2)) - 10 * (y + 1.0)).max() < 2


def test_of_others_one_in_seven_is_drawn_for_the_test(tmp_path, monkeypatch):
    draw(tmp_path / "pictures", ["b", "a", "c"], 7)
    images = made(monkeypatch, tmp_path)
    assert (len(images.x_train), len(images.x_test)) == (18, 3)
    labels = np.concatenate([images.y_train, images.y_test])
    assert np.bincount(labels).tolist() == [7, 7, 7]
    assert labels.tolist() != sorted(labels)


def test_a_class_of_test_pictures_alone_is_told(tmp_path, monkeypatch):
    draw(tmp_path / "pictures" / "train", ["cat", "dog"], 1)
    draw(tmp_path / "pictures" / "test", ["cat", "emu"], 1)
    with pytest.raises(InputError, match="y_test has label 2, expected 0 to 1 as in y_train"):
        made(monkeypatch, tmp_path)


def test_some_images_of_a_file_are_another_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = {"x_train": np.arange(400), "y_train": np.arange(400), "x_test": np.arange(9), "y_test": np.arange(9)}
    np.savez("pictures.npz", **digits)
    exec(SOME, {})
    with np.load("some_pictures.npz") as some:
        assert {name: len(array) for name, array in some.items()} == {
            "x_train": 300,
            "y_train": 300,
            "x_test": 9,
            "y_test": 9,
        }


def test_the_limits_are_those_of_the_readers():
    limits = f"arrays of more than {size(content.LIMIT)}, and tables of more than {size(table._LIMIT)}"
    assert limits in pages.text("docs/data.md")
