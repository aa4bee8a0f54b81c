"""`bnrenorm data`: what is exported, checked and drawn."""

import gzip
import hashlib

import numpy as np
import pytest

from bnrenorm.data import mnist


@pytest.mark.slow
def test_data_export_writes_the_canonical_files(call, tmp_path):
    code, _, _ = call("data", "export", tmp_path / "idx")
    assert code == 0
    for stem, md5 in mnist.MD5.items():
        assert hashlib.md5(gzip.decompress((tmp_path / f"idx/{stem}.gz").read_bytes())).hexdigest() == md5


@pytest.mark.slow
def test_code_that_reads_the_four_files_itself_finds_the_digits(call, tmp_path):
    """Like the second article's script: decompress, skip the header, reshape."""
    call("data", "export", tmp_path)
    for split, stem in (("train", "train"), ("test", "t10k")):
        with gzip.open(tmp_path / f"{stem}-images-idx3-ubyte.gz", "rb") as file:
            images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
        with gzip.open(tmp_path / f"{stem}-labels-idx1-ubyte.gz", "rb") as file:
            labels = np.frombuffer(file.read(), np.uint8, offset=8)
        assert (images == mnist.digits()[f"x_{split}"].reshape(-1, 784)).all()
        assert (labels == mnist.digits()[f"y_{split}"]).all()


def test_labels_from_1_are_exported_from_0_and_shown_as_they_are(call, few_digits_file, tmp_path):
    with np.load(few_digits_file) as arrays:
        shifted = {name: array + name.startswith("y") for name, array in arrays.items()}
    np.savez(tmp_path / "a.npz", **shifted)
    code, _, err = call("data", "export", tmp_path / "idx", "--path", tmp_path / "a.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert "y_train has 10 classes, 1 to 10, expected 0 to 9; set data.first_label: 1" in err
    given = "--path", tmp_path / "a.npz", "--first-label", "1"
    _, out, _ = call("data", "show", *given, "--save", tmp_path / "first.png")
    assert f"label {shifted['y_train'][0]}, drawn" in out, "as the file has it"
    code, out, _ = call("data", "export", tmp_path / "idx", *given)
    assert (code, out.count("-ubyte.gz\n")) == (0, 4)
    sums = [call("data", "verify", "--path", path)[1].splitlines()[-1] for path in (tmp_path / "idx", few_digits_file)]
    assert sums[0] == sums[1]


def test_data_verify_knows_the_originals(call, few_digits_file):
    code, out, _ = call("data", "verify")
    assert code == 0
    assert out.count("(the original)") == 4
    assert "training images a class: 5421 to 6742; the most frequent label, 1, has 11.24 %\n" in out
    assert "test images a class: 892 to 1135; the most frequent label, 1, has 11.35 %\n" in out
    _, out, _ = call("data", "verify", "--path", few_digits_file)
    assert "original" not in out
    assert "uint8  0 to 255\n" in out


def test_data_verify_counts_from_the_first_label(call, tmp_path):
    """Of even classes there is one number; of a class that the test set lacks, 0."""
    images, labels = np.zeros((6, 2, 2), np.uint8), np.array([1, 2, 3, 1, 2, 3])
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=np.array([2, 3, 3, 3, 3, 2]))
    _, out, _ = call("data", "verify", "--path", tmp_path / "a.npz", "--first-label", 1)
    assert "training images a class: 2; the most frequent label, 1, has 33.33 %\n" in out
    assert "test images a class: 0 to 4; the most frequent label, 3, has 66.67 %\n" in out
    np.savez(tmp_path / "b.npz", x_train=images, y_train=labels - 1, x_test=images[:4], y_test=np.array([0, 1, 1, 0]))
    _, out, _ = call("data", "verify", "--path", tmp_path / "b.npz")
    assert "test images a class: 0 to 2; the most frequent label, 0, has 50.00 %\n" in out, "of the last it has none"


def test_data_show_draws_a_digit_with_its_label(call, tmp_path):
    code, out, _ = call("data", "show", "--index", "0", "--save", tmp_path / "five.png")
    assert (code, out.startswith("train image 0: label 5")) == (0, True)
    assert (tmp_path / "five.png").read_bytes().startswith(b"\x89PNG")
    assert "test image 1: label 2" in call("data", "show", "--test", "--index", "1", "--save", tmp_path / "two.png")[1]


@pytest.mark.parametrize("colours", [3, 4])
def test_data_show_draws_an_image_in_colours(call, tmp_path, rng, colours):
    arrays = {f"x_{split}": rng.integers(0, 256, (20, 6, 5, colours), np.uint8) for split in ("train", "test")}
    np.savez(tmp_path / "mine.npz", **arrays, y_train=np.arange(20) % 10, y_test=np.arange(20) % 10)
    code, out, _ = call("data", "show", "--path", tmp_path / "mine.npz", "--save", tmp_path / "one.png")
    assert (code, out.startswith("train image 0: label 0")) == (0, True)
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("index", [-1, 10_000])
def test_an_image_that_there_is_not_is_one_line(call, tmp_path, index):
    code, out, err = call("data", "show", "--test", "--index", index, "--save", tmp_path / "none.png")
    assert (code, out) == (2, "")
    assert err == f"bnrenorm: --index {index}: expected 0 to 9999\n"
    assert not list(tmp_path.iterdir())
