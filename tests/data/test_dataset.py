from dataclasses import replace

import numpy as np
import pytest

from bnrenorm.config.schema import Data
from bnrenorm.data import dataset, files, mnist
from bnrenorm.errors import InputError
from bnrenorm.rng import Stream, generator
from tests.helpers import some_digits


def load(path, **settings):
    return dataset.load(Data(path=str(path), **settings))


def test_equal_digits_have_one_checksum_whatever_file_they_came_from(tmp_path, few_digits_file):
    from_npz = load(few_digits_file)
    files.export(from_npz.arrays, tmp_path / "idx")
    assert load(tmp_path / "idx").checksum == from_npz.checksum
    arrays = {name: array.astype(np.int64) for name, array in from_npz.arrays.items()}
    arrays["y_test"] = arrays["y_test"][:, None] + 1
    arrays["y_train"] = arrays["y_train"] + 1.0
    np.savez(tmp_path / "other.npz", **arrays)
    assert load(tmp_path / "other.npz", first_label=1).checksum == from_npz.checksum
    assert dataset.load().checksum != from_npz.checksum


def test_the_checksum_of_the_shipped_digits_stays():
    """It is part of the address of every stored result."""
    assert dataset.load().checksum == "52cd6c10ae77107af32269dd9d10ca19c1b749e83235a0c75e2f0729ebeaf141"


def test_scaled_images_are_those_of_chainer(digits):
    import chainer

    images = chainer.datasets.get_mnist(withlabel=False)[0]
    assert (digits.scaled("train") == images[: len(digits.x_train)]).all()
    assert digits.scaled("train").dtype == np.float32
    assert digits.labels("test").dtype == np.int32
    assert (digits.inputs, digits.classes) == (784, 10)


def test_floats_are_taken_as_they_are(digits):
    x = np.full((2000, 5), -3.5)
    assert (replace(digits, x_train=x).scaled("train") == -3.5).all()


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ([[0, 255]], [[0, 3]], None),
        ([[0, 0]], [[0, 0]], None),
        ([[0, 1]], [[0, 1]], (0, 1 / 255)),
        ([[0, 17]], [[0, 16]], (0, 17 / 255)),
        ([[0.0, 1.0]], [[0.0, 0.5]], None),
        ([[0.0, 1.0]], [[0.0, 1.5]], (0, 1.5)),
        ([[-0.5, 1.0]], [[0.0, 1.0]], (-0.5, 1)),
        ([[0.0, 1.0]], [[-0.5, 1.0]], (-0.5, 1)),
        ([[0.0, 0.05]], [[0.0, 0.09]], (0, 0.09)),
    ],
)
def test_pixels_outside_the_usual_range_are_known(digits, train, test, expected):
    arrays = [np.array(x, np.uint8 if isinstance(x[0][1], int) else np.float32) for x in (train, test)]
    found = replace(digits, x_train=arrays[0], x_test=arrays[1]).unusual_range
    assert found == (expected and pytest.approx(expected))


def test_the_split_for_validation_stays():
    """It is part of what every stored result of an experiment with one came from."""
    data, order = some_digits(50, 1), generator(0, Stream.VALIDATION).permutation(50)
    (_, learned), (_, held_out) = data.split(20)
    labels = data.labels("train")
    assert (held_out == labels[np.sort(order[:20])]).all()
    assert (learned == labels[np.sort(order[20:])]).all()
    assert (data.learning_labels(20) == learned).all()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "nowhere",
            r"data.path: 'nowhere' cannot be read: No such file or directory \(relative to the working directory\)$",
        ),
        ("", "data.path: '' cannot be read"),
        ("a\0b", r"data.path: 'a\\x00b' cannot be read: .*null"),
        ("x" * 5000, "data.path: 'x+' cannot be read: File name too long"),
        ("~nobody_of_that_name/x", "data.path: '~nobody_of_that_name/x' cannot be read"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(path, message):
    with pytest.raises(InputError, match=message):
        load(path)


def test_messages_name_the_file_as_the_user_wrote_it(few_digits_file, monkeypatch):
    monkeypatch.chdir(few_digits_file.parent)
    with pytest.raises(InputError, match=r"^few.npz: y_train has 10 classes, 0 to 9, expected 1 to 10"):
        load("few.npz", first_label=1)


def test_the_shipped_digits_are_labelled_from_0():
    with pytest.raises(InputError, match="^data.first_label: is 1, expected 0 for the digits shipped with bnrenorm$"):
        dataset.load(Data(first_label=1))


def test_the_default_is_all_of_mnist():
    data = dataset.load()
    assert data.x_train is mnist.digits()["x_train"]
    assert len(data.x_train) + len(data.x_test) == 70_000


def test_the_checksum_does_not_depend_on_how_arrays_lie_in_memory(digits):
    columns = {name: np.asfortranarray(array) for name, array in digits.arrays.items()}
    assert dataset.Dataset(**columns, source="columns").checksum == digits.checksum


def test_each_splits_lit_pixels_are_counted(digits):
    assert digits.nonzero == ((digits.x_train > 0).sum(), (digits.x_test > 0).sum())
    assert digits.nonzero[0] != digits.nonzero[1]


def test_a_data_set_that_keeps_what_it_scales_is_another_one(digits):
    keeping = digits.keeping()
    assert keeping.scaled("test") is keeping.scaled("test")
    assert digits.scaled("test") is not digits.scaled("test")
    assert (keeping.scaled("test") == digits.scaled("test")).all()


@pytest.mark.parametrize(
    ("ranges", "uneven"),
    [
        ((7, 1, 100, 1), None),
        ((7, 1, 101, 1), (1, 101)),
        ((1, 1, 1, 2, 5, 5, 5, 5, 5, 5, 5, 201), (2, 201)),
        ((0, 0, 0, 5, 5), None),
        ((0, 0), None),
    ],
)
def test_columns_are_uneven_where_one_ranges_over_100_times_as_much_as_a_quarter_of_them(ranges, uneven):
    """Columns that are constant do not count."""
    x = np.array([ranges, np.zeros(len(ranges))], np.float32) + 3
    images = dataset.Dataset(x, np.arange(2), x, np.arange(2), "a table")
    assert images.uneven_columns == uneven
    assert replace(images, x_train=x.astype(np.uint8)).uneven_columns is None
