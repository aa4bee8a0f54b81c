import pytest

from bnrenorm.data import names


@pytest.mark.parametrize(
    ("name", "array", "prefix"),
    [
        ("train-images-idx3-ubyte", "x_train", ""),
        ("train-labels-idx1-ubyte.gz", "y_train", ""),
        ("t10k-images.idx3-ubyte", "x_test", ""),
        ("emnist-letters-test-labels-idx1-ubyte.gz", "y_test", "emnist-letters-"),
        ("qmnist-train-labels-idx2-int.gz", "y_train", "qmnist-"),
        ("kmnist-train-imgs.npz", "x_train", "kmnist-"),
        ("x_train.npy", "x_train", ""),
        ("X_test", "x_test", ""),
        ("train_images", "x_train", ""),
        ("test_labels", "y_test", ""),
    ],
)
def test_names_that_people_use(name, array, prefix):
    known = names.parse(name)
    assert (known.array, known.prefix) == (array, prefix)


def test_capital_letters_make_no_other_data_set():
    assert names.parse("X_TRAIN.NPY") == names.parse("x_train.npy")
    assert names.parse("Y_test.Npy").suffix == names.parse("x_train.npy").suffix


@pytest.mark.parametrize("name", ["x", "val_images", "train", "train.csv", "arr_0", "x_train.txt", "max_train", ""])
def test_other_names_are_unknown(name):
    assert names.parse(name) is None


def test_keys_of_an_archive_are_chosen_by_what_they_stand_for():
    keys = ["train_images", "val_images", "test_images", "train_labels", "val_labels", "test_labels"]
    assert names.choose(keys) == {
        "x_train": "train_images",
        "x_test": "test_images",
        "y_train": "train_labels",
        "y_test": "test_labels",
    }
    assert names.choose(["my_x_train", "y_train", "Y_train"]) == {"y_train": "y_train"}
