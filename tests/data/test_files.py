"""Whole data sets in the forms that people have them."""

import gzip
import io
import zipfile

import numpy as np
import pytest

from bnrenorm.data import files, idx, names
from bnrenorm.errors import InputError

MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
NPY = ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy")
KMNIST = ("kmnist-train-imgs.npz", "kmnist-train-labels.npz", "kmnist-test-imgs.npz", "kmnist-test-labels.npz")


def read(path):
    arrays, _ = files.read(path)
    return arrays


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz_bytes(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def csv_bytes(images, labels, header=True):
    lines = [",".join(["label", *(f"pixel{i}" for i in range(images[0].size))])] if header else []
    lines += [",".join(map(str, [label, *image.ravel()])) for image, label in zip(images, labels, strict=True)]
    return "\n".join(lines).encode()


def write(folder, arrays, file_names, encode):
    for name, array in zip(file_names, arrays.values(), strict=True):
        (folder / name).write_bytes(encode(array))


def equal(found, arrays):
    return set(found) == set(names.ARRAYS) and all(np.array_equal(found[name], arrays[name]) for name in names.ARRAYS)


@pytest.mark.parametrize(
    ("file_names", "encode"),
    [
        (MNIST, idx.encode),
        ([f"{name}.gz" for name in MNIST], lambda array: gzip.compress(mtime=0, data=idx.encode(array))),
        (NPY, npy_bytes),
        (KMNIST, lambda array: npz_bytes(arr_0=array)),
    ],
    ids=["IDX", "IDX, gzipped", ".npy", ".npz of one array"],
)
def test_four_files_are_read_by_their_folder_or_by_one_of_them(tmp_path, arrays, file_names, encode):
    write(tmp_path, arrays, file_names, encode)
    for path in (tmp_path, *(tmp_path / name for name in file_names)):
        assert equal(read(path), arrays)


@pytest.mark.parametrize("name", ["a.npz", "A.NPZ", "数字 1.npz"])
@pytest.mark.parametrize(
    "keys",
    [
        names.ARRAYS,
        ("X_train", "y_train", "X_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_an_archive_is_read_by_the_keys_that_people_use(tmp_path, arrays, name, keys):
    named = dict(zip(keys, arrays.values(), strict=True))
    (tmp_path / name).write_bytes(npz_bytes(**named, val_images=arrays["x_test"], more=np.array([{}], object)))
    assert equal(read(tmp_path / name), arrays)


@pytest.mark.parametrize("header", [True, False])
def test_a_table_takes_the_table_of_the_other_split_next_to_it(tmp_path, arrays, header):
    for split in ("train", "test"):
        content = csv_bytes(arrays[f"x_{split}"], arrays[f"y_{split}"], header)
        (tmp_path / f"mnist_{split}.csv").write_bytes(content)
    flat = {name: array.reshape(len(array), -1) if array.ndim > 1 else array for name, array in arrays.items()}
    assert equal(read(tmp_path / "mnist_train.csv"), flat)
    assert equal(read(tmp_path / "mnist_test.csv"), flat)


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_tables_of_which_one_has_no_fractions_are_both_floats(tmp_path, split):
    other = "test" if split == "train" else "train"
    (tmp_path / f"{split}.csv").write_text("0,0.5,0.25\n1,1,0\n")
    (tmp_path / f"{other}.csv").write_text("0,1,0\n1,0,1\n")
    found = read(tmp_path / "train.csv")
    assert (found["x_train"].dtype, found["x_test"].dtype) == (np.float64, np.float64)
    assert found[f"x_{split}"].tolist() == [[0.5, 0.25], [1, 0]]
    assert found[f"x_{other}"].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("other", [None, b"pixel0,pixel1\n1,2\n"], ids=["no other", "test table without labels"])
def test_without_a_labelled_test_table_a_seventh_of_the_images_is_the_test_set(tmp_path, arrays, other):
    (tmp_path / "train.csv").write_bytes(csv_bytes(arrays["x_train"], arrays["y_train"]))
    if other:
        (tmp_path / "test.csv").write_bytes(other)
    found = read(tmp_path / "train.csv")
    assert [len(array) for array in found.values()] == [17, 17, 3, 3]
    both = np.concatenate([found["x_train"], found["x_test"]])
    labels = np.concatenate([found["y_train"], found["y_test"]])
    pairs = sorted((label, image.tobytes()) for image, label in zip(both, labels, strict=True))
    assert pairs == sorted(
        (label, image.tobytes()) for image, label in zip(arrays["x_train"], arrays["y_train"], strict=True)
    )
    rows = {image.tobytes(): row for row, image in enumerate(arrays["x_train"])}
    for part in ("x_train", "x_test"):  # in the table's order
        order = [rows[image.tobytes()] for image in found[part]]
        assert order == sorted(order)
    again, note = files.read(tmp_path / "train.csv")
    assert equal(again, found)
    ignored = "test.csv has no labels, and " if other else ""
    assert note == (
        f"{ignored}train.csv has no labelled test table next to it: 3 of its 20 images, drawn at random, are the test images"
    )


def test_one_image_in_seven_is_a_test_image(tmp_path):
    (tmp_path / "train.csv").write_text("".join(f"{row % 2},{row},0\n" for row in range(56)))
    assert [len(array) for array in read(tmp_path / "train.csv").values()] == [48, 48, 8, 8]


@pytest.mark.parametrize("row", range(20))
def test_every_class_of_a_table_without_test_images_is_learned(tmp_path, arrays, row):
    labels = arrays["y_train"] % 2
    labels[row] = 2
    (tmp_path / "train.csv").write_bytes(csv_bytes(arrays["x_train"], labels))
    found = read(tmp_path / "train.csv")
    assert sorted({*found["y_train"]}) == [0, 1, 2]
    assert len(found["y_train"]) in (17, 18)
    assert len(found["y_train"]) + len(found["y_test"]) == 20


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (b"label,a\n0,1\n", b"a,b\n1,2\n", "test.csv: has the columns a, b, and none named label or class"),
        (b"a,b\n1,2\n", b"label,a\n0,1\n", "train.csv: has the columns a, b, and none named label or class"),
        (b"", b"label,a\n0,1\n", "train.csv: is empty, expected a table of comma-separated values"),
    ],
)
def test_a_test_table_is_never_trained_on_in_place_of_the_training_table(tmp_path, train, test, message):
    (tmp_path / "train.csv").write_bytes(train)
    (tmp_path / "test.csv").write_bytes(test)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "test.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npz", npz_bytes(x=np.zeros(2), y=np.zeros(2)), "a.npz: has x, y, but no array x_train, y_train, x_test, y_test"),
        ("a.npz", npz_bytes(x_train=np.zeros(2), y_train=np.zeros(2)), "has x_train, y_train, but no array x_test, y_test"),
        ("a.npz", npz_bytes(**{f"a{i}": np.zeros(1) for i in range(9)}), "has a0, a1, a2, a3, a4, a5, ..., but no array"),
        ("a.npy", npy_bytes(np.zeros(2)), "a.npy: holds one array; expected four files such as"),
        ("x_train.npy", npy_bytes(np.zeros(2)), "has x_train.npy, but no file for y_train, x_test, y_test"),
        ("mnist.pkl.gz", gzip.compress(mtime=0, data=b"\x80\x04"), "mnist.pkl.gz: is a pickle, which is never loaded; expected"),
        ("a.libsvm", b"1 1:0.5\n", "a.libsvm: is text that starts with '1 1:0.5'; expected"),
        ("a.npz", b"", "a.npz: is empty; expected"),
        ("a.csv", b"label,a\r\n1,2\r\n", "a.csv: has 1 row and no test table, expected at least 2 rows$"),
        ("a.csv", b"a,b\n1,2\n", "a.csv: has the columns a, b, and none named label or class"),
    ],
)  # fmt: skip
def test_another_file_is_called_what_it_is(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html>", "is a web page instead of the file, expected an IDX, .npy or .npz file"),
        (gzip.compress(mtime=0, data=gzip.compress(mtime=0, data=b"x")), "is gzipped twice"),
        (npz_bytes(a=np.zeros(1), b=np.zeros(1)), "has a, b, expected one array"),
    ],
)
def test_one_of_four_files_is_called_what_it_is(tmp_path, arrays, content, message):
    write(tmp_path, arrays, MNIST, idx.encode)
    (tmp_path / MNIST[0]).write_bytes(content)
    with pytest.raises(InputError, match=f"{MNIST[0]}: {message}"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["idx", "gzip", "npz", "npz, compressed", "csv"])
def test_no_damage_to_a_file_is_anything_but_one_line(tmp_path, arrays, rng, kind):
    """Flip, cut, repeat and remove bytes at random, mostly in the header."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    name, content = {
        "idx": (MNIST[0], idx.encode(arrays["x_train"])),
        "gzip": (MNIST[0], gzip.compress(mtime=0, data=idx.encode(arrays["x_train"]))),
        "npz": ("a.npz", npz_bytes(**arrays)),
        "npz, compressed": ("a.npz", buffer.getvalue()),
        "csv": ("a.csv", csv_bytes(arrays["x_train"], arrays["y_train"])),
    }[kind]
    write(tmp_path, arrays, MNIST, idx.encode)
    messages = []
    for _ in range(150):
        damaged = bytearray(content)
        at = int(len(content) * rng.random() ** rng.integers(1, 6))
        match rng.integers(4):
            case 0:
                damaged[at] ^= 1 << rng.integers(8)
            case 1:
                del damaged[at:]
            case 2:
                damaged[at:at] = damaged[at : at + rng.integers(1, 9)]
            case _:
                damaged[at : at + 4] = rng.bytes(4)
        (tmp_path / name).write_bytes(damaged)
        try:
            read(tmp_path / name)
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(message.startswith(str(tmp_path)) and "\n" not in message for message in messages)


def test_a_zip_archive_of_idx_files_is_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "mnist.zip", "w") as archive:
        archive.writestr(MNIST[0], b"x")
    with pytest.raises(InputError, match=r"mnist.zip: is a zip archive without .npy files; unpack it"):
        read(tmp_path / "mnist.zip")
