import pytest

from bnrenorm import disk
from bnrenorm.data import folders, names
from bnrenorm.errors import InputError

MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def make(folder, files):
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder):
    return [str(path.relative_to(folder)) for path in map(folders.find(folder).__getitem__, names.ARRAYS)]


@pytest.mark.parametrize(
    "files",
    [
        MNIST,
        [f"{name}.gz" for name in MNIST],
        [name.replace("-idx", ".idx") for name in MNIST],
        [f"emnist-letters-{name.replace('t10k', 'test')}.gz" for name in MNIST],
        [f"{name}/{name}" for name in MNIST],
        [f"MNIST/raw/{name}" for name in MNIST],
        ["x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"],
        ["kmnist-train-imgs.npz", "kmnist-train-labels.npz", "kmnist-test-imgs.npz", "kmnist-test-labels.npz"],
    ],
    ids=lambda files: files[0],
)
def test_the_four_files_are_found(tmp_path, files):
    make(tmp_path, [*files, "README.md", "val/0/1.png"])
    assert found(tmp_path) == list(files)
    first = tmp_path / files[0]
    assert folders.data_set_of(first, names.parse(first.name)) == folders.find(tmp_path)


def test_the_unpacked_and_the_nearest_file_is_taken(tmp_path):
    dotted = MNIST[0].replace("-idx", ".idx")
    make(tmp_path, [f"{MNIST[0]}.gz", dotted, MNIST[1], f"{MNIST[1]}.gz", *MNIST[2:], f"{MNIST[2]}.gz/{MNIST[2]}"])
    make(tmp_path, [f"old/{name}" for name in MNIST])
    assert found(tmp_path) == [dotted, *MNIST[1:]]


def test_a_file_is_preferred_to_one_of_another_name_in_a_folder(tmp_path):
    make(tmp_path, [*MNIST, "train-labels-idx2-int/train-labels-idx2-int"])
    assert found(tmp_path) == list(MNIST)


def test_a_folder_called_like_a_file_may_have_all_four(tmp_path):
    folder = tmp_path / "x_train-npy"
    make(folder, [f"{name}.npy" for name in names.ARRAYS])
    assert folders.data_set_of(folder / "x_train.npy", names.parse("x_train.npy")) == folders.find(folder)


def test_the_file_that_is_named_is_taken(tmp_path):
    make(tmp_path, [*MNIST, f"{MNIST[0]}.gz"])
    packed = tmp_path / f"{MNIST[0]}.gz"
    assert folders.data_set_of(packed, names.parse(packed.name))["x_train"] == packed


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "has nothing; expected four files such as train-images-idx3-ubyte.gz or x_train.npy"),
        (["train/0/1.png", "a.txt"], "has a.txt, train; expected .*; docs/data.md has a script that makes an .npz"),
        ([f"{i}.png" for i in range(9)], "has 0.png, 1.png, .* and 3 more; expected"),
        (MNIST[:3], f"has {', '.join(MNIST[:3])}, but no file for y_test"),
        (["raw/x_train.npy"], "has raw/x_train.npy, but no file for y_train, x_test, y_test"),
        (
            [f"{s}/raw/{n}" for s in "AB" for n in MNIST],
            f"has several data sets; .*: A/raw/{MNIST[0]} and B/raw/{MNIST[0]}",
        ),
        ([*MNIST, *(f"my-{name}" for name in MNIST)], f"has several data sets; .*: my-{MNIST[0]} and {MNIST[0]}"),
        (
            [*MNIST, "train-images-idx4-ubyte"],
            "has train-images-idx3-ubyte and train-images-idx4-ubyte, expected one file",
        ),
    ],
)
def test_what_is_no_data_set_is_named(tmp_path, files, message):
    make(tmp_path, files)
    with pytest.raises(InputError, match=message):
        folders.find(tmp_path)


@pytest.mark.parametrize("refused", ["is_folder", "everything_in"])
def test_folders_inside_that_nobody_may_read_are_passed_over(tmp_path, monkeypatch, refused):
    make(tmp_path, [*(f"raw/{name}" for name in MNIST), "secret/x_train.npy"])
    real = getattr(disk, refused)

    def refuse(path):
        if path.name == "secret":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(disk, refused, refuse)
    assert folders.find(tmp_path)["x_train"] == tmp_path / "raw" / MNIST[0]
    for name in MNIST:
        (tmp_path / "raw" / name).unlink()
    with pytest.raises(InputError, match="has raw, secret; expected four files"):
        folders.find(tmp_path)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["mnist.npz", "README.md"], ["mnist.npz"]),
        (["train.csv", "test.csv"], ["train.csv"]),
        (["mnist_train.csv", "mnist_test.csv.gz"], ["mnist_train.csv"]),
        (["A.NPZ", "b.csv.gz", "c.csv/d.txt", *(f"{i}.png" for i in range(9))], ["A.NPZ", "b.csv.gz"]),
    ],
)
def test_a_file_that_can_be_read_is_named_in_place_of_its_folder(tmp_path, files, expected):
    make(tmp_path, files)
    chosen = " or ".join(str(tmp_path / name) for name in expected)
    with pytest.raises(InputError) as caught:
        folders.find(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a folder without four files; use data.path={chosen}"


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("mnist_train.csv", "mnist_test.csv"),
        ("Train.csv", "Test.csv"),
        ("train.csv", "test.csv.gz"),
        ("train.csv.gz", "test.csv"),
        ("training.csv", "testing.csv"),
        ("contest_train_latest.csv", "contest_test_latest.csv"),
    ],
)
def test_a_table_has_its_other_split_next_to_it(tmp_path, train, test):
    make(tmp_path, [train, test])
    for name in (train, test):
        assert folders.tables(tmp_path / name) == (tmp_path / train, tmp_path / test)


@pytest.mark.parametrize("name", ["digits.csv", "train.csv", "latest.csv", "test.csv"])
def test_a_table_alone_is_a_training_table(tmp_path, name):
    make(tmp_path, [name, "train/0.png", "other.csv"])
    assert folders.tables(tmp_path / name) == (tmp_path / name, None)
