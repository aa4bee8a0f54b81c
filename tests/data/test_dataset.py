from dataclasses import replace

import numpy as np
import pytest

from bnrenorm.data import dataset, files, mnist
from bnrenorm.errors import InputError
from tests.helpers import some_digits


def test_equal_digits_have_one_checksum_whatever_file_they_came_from(tmp_path, few_digits_file):
    from_npz = dataset.load(str(few_digits_file))
    files.export({name: getattr(from_npz, name) for name in files.ARRAYS}, tmp_path / "idx")
    assert dataset.load(str(tmp_path / "idx")).checksum == from_npz.checksum
    assert dataset.load().checksum != from_npz.checksum


def test_scaled_images_are_those_of_chainer(digits):
    import chainer

    images = chainer.datasets.get_mnist(withlabel=False)[0]
    assert (digits.scaled("train") == images[: len(digits.x_train)]).all()
    assert digits.scaled("train").dtype == np.float32
    assert digits.labels("test").dtype == np.int32
    assert digits.inputs == 784


def test_floats_are_taken_as_they_are(digits):
    x = np.full((2000, 5), -3.5)
    assert (replace(digits, x_train=x).scaled("train") == -3.5).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": np.arange(299) % 10}, "300 images in x_train, but 299 labels in y_train"),
        ({"x_train": np.zeros((300, 28, 28), np.int64)}, "x_train is int64, expected uint8"),
        ({"x_train": np.full((300, 784), np.nan)}, "x_train is float64, expected uint8 or finite floats"),
        ({"x_train": np.zeros(300, np.uint8)}, r"x_train has shape \(300,\)"),
        ({"x_train": np.zeros((0, 784), np.uint8), "y_train": np.zeros(0, int)}, r"x_train has shape \(0, 784\)"),
        ({"x_test": np.zeros((100, 27, 28), np.uint8)}, r"training images are \(28, 28\), test images \(27, 28\)"),
        ({"y_train": np.zeros(300)}, "y_train is float64"),
        ({"y_train": np.zeros((300, 1), int)}, "y_train is int64 of shape"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, changes, message):
    few = some_digits(300, 100)
    path = tmp_path / "bad.npz"
    np.savez(path, **{name: changes.get(name, getattr(few, name)) for name in files.ARRAYS})
    with pytest.raises(InputError, match=f"bad.npz: {message}"):
        dataset.load(str(path))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (lambda y: np.where(y == 7, 10, y), "y_train has label 10, expected 0 to 9"),
        (lambda y: np.where(y == 7, -1, y.astype(int)), "y_train has label -1"),
        (lambda y: np.where(y == 7, 1, y), "y_train has 9 classes, but model.outputs is 10"),
    ],
)
def test_labels_must_be_the_classes_of_the_outputs(digits, labels, message):
    with pytest.raises(InputError, match=message):
        replace(digits, y_train=labels(digits.y_train)).check_classes(10)
    digits.check_classes(10)


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match="data.path: .*nowhere does not exist"):
        dataset.load(str(tmp_path / "nowhere"))


def test_the_default_is_all_of_mnist():
    data = dataset.load()
    assert data.x_train is mnist.digits()["x_train"]
    assert len(data.x_train) + len(data.x_test) == 70_000
