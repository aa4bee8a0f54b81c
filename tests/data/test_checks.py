"""One form for all data sets, and one line for what has none."""

import numpy as np
import pytest

from bnrenorm.data.checks import checked
from bnrenorm.errors import InputError

IMAGES = np.arange(240, dtype=np.uint8).reshape(20, 3, 4)
LABELS = np.arange(20, dtype=np.uint8) % 10
GOOD = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:10], "y_test": LABELS[:10]}


def check(first_label=0, **changes):
    return checked({**GOOD, **changes}, "data", first_label)


@pytest.mark.parametrize(
    ("convert", "dtype"),
    [
        (lambda x: x, np.uint8),
        (np.asfortranarray, np.uint8),
        (lambda x: x.astype(np.int64), np.uint8),
        (lambda x: x.astype(">u2"), np.uint8),
        (lambda x: x / 255, np.float32),
        (lambda x: (x / 255).astype(np.float16), np.float32),
        (lambda x: (x / 255).astype(">f4"), np.float32),
        (lambda x: x > 100, np.float32),
        (lambda x: x * -3e38 / 255, np.float32),
    ],
)
def test_images_become_bytes_or_float32(convert, dtype):
    found = check(x_train=convert(IMAGES), x_test=convert(IMAGES[:10]))["x_train"]
    assert found.dtype == dtype
    assert found.flags.c_contiguous
    assert found == pytest.approx(convert(IMAGES).astype(np.float64), rel=1e-7)


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y,
        lambda y: y[:, None],
        lambda y: y.astype(np.float64),
        lambda y: y.astype(np.float16)[:, None],
        lambda y: y.astype(">i4"),
        lambda y: y.astype(np.uint64),
    ],
)
def test_labels_become_bytes(convert):
    found = check(y_train=convert(LABELS), y_test=convert(LABELS[:10]))
    assert (found["y_train"].dtype, found["y_test"].dtype) == (np.uint8, np.uint8)
    assert (found["y_train"] == LABELS).all()


def test_true_and_false_are_two_classes():
    assert check(y_train=LABELS > 4, y_test=LABELS[:10] > 4)["y_train"].tolist() == (LABELS > 4).tolist()


@pytest.mark.parametrize("values", [(0, 256), (-1, 255)])
def test_the_first_integer_beyond_a_byte_is_no_pixel(values):
    images = np.resize(np.array(values, np.int16), IMAGES.shape)
    with pytest.raises(InputError, match=f"from {values[0]} to {values[1]}, expected 0 to 255, or floats"):
        check(x_train=images, x_test=images[:10])


def test_more_than_256_classes_become_int32():
    many = np.arange(300)
    found = check(x_train=np.full((300, 3, 4), 255, np.uint8), y_train=many)
    assert found["y_train"].dtype == np.int32
    assert (found["y_train"] == many).all()
    assert (found["y_test"] == LABELS[:10]).all()


def test_labels_from_1_become_labels_from_0():
    found = check(1, y_train=LABELS + 1, y_test=LABELS[:10] + 1)
    assert (found["y_train"] == LABELS).all()
    assert (found["y_test"] == LABELS[:10]).all()


def test_the_test_set_may_lack_classes():
    assert check(y_test=np.full(10, 3))["y_test"].tolist() == [3] * 10


@pytest.mark.parametrize(
    ("train", "test"), [(1, 2), (2, 1), (255, 0), (0.5, -3), (1, 1.9), (255, 2), (3, 255)], ids=str
)
def test_splits_of_similar_range_share_a_scale(train, test):
    check(x_train=np.full(IMAGES.shape, float(train)), x_test=np.full((10, 3, 4), float(test)))


def test_images_with_negative_values_have_no_scale_that_another_split_must_share():
    """As those scaled to a mean of 0: their largest values may be on either side of 1."""
    train, test = np.linspace(-1, 1, 240).reshape(20, 3, 4), np.linspace(-1, 3, 120).reshape(10, 3, 4)
    assert check(x_train=train, x_test=test)["x_test"].max() == 3


@pytest.mark.parametrize("convert", [np.float32, np.uint8])
@pytest.mark.parametrize(("train", "test"), [(1, 255), (255, 1), (1, 3)])
def test_splits_of_different_scales_are_refused(train, test, convert):
    message = f"^data: test images reach {test}, training images {train}, expected one scale$"
    with pytest.raises(InputError, match=message):
        check(x_train=np.full(IMAGES.shape, convert(train)), x_test=np.full((10, 3, 4), convert(test)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": IMAGES / 255.0}, "x_train is floats, x_test bytes, expected one type and scale"),
        ({"x_test": IMAGES[:10] * 1.0}, "x_train is bytes, x_test floats, expected one type and scale"),
        ({"y_train": LABELS[:19]}, "20 images in x_train, but 19 labels in y_train"),
        ({"x_test": np.zeros((10, 4, 3), np.uint8)}, r"training images are \(3, 4\), test images \(4, 3\)"),
        ({"x_train": np.zeros(20, np.uint8)}, r"x_train has shape \(20,\), expected \(images, ...\) with at least one"),
        ({"x_train": np.zeros((0, 4), np.uint8)}, r"x_train has shape \(0, 4\)"),
        ({"x_test": np.zeros((10, 0, 4), np.uint8)}, r"x_test has shape \(10, 0, 4\)"),
        ({"x_train": IMAGES.astype(np.int16) - 1}, "x_train is int16 from -1 to 238, expected 0 to 255, or floats"),
        ({"x_train": IMAGES.astype(np.uint16) * 257}, "x_train is uint16 from 0 to 61423, expected 0 to 255"),
        ({"x_train": IMAGES.astype(complex)}, "x_train is complex128, expected integers in 0 to 255, or floats"),
        ({"x_train": np.where(IMAGES == 5, np.nan, 0.5)}, "x_train has the value nan, expected finite numbers"),
        ({"x_test": np.where(IMAGES[:10] == 5, -np.inf, 0.5)}, "x_test has the value -inf"),
        ({"x_train": np.where(IMAGES == 5, 1e39, 0.5)}, r"x_train has the value 1e\+39, expected .* fit float32"),
        ({"y_train": np.eye(10)[LABELS]}, r"y_train is float64 of shape \(20, 10\), expected one .*save y.argmax"),
        (
            {"y_train": np.zeros((20, 8), int)},
            r"y_train is int64 of shape \(20, 8\), expected one whole number per image$",
        ),
        ({"y_train": LABELS.astype(str)}, "y_train is <U3 of shape"),
        ({"y_train": LABELS + 0.5}, "y_train has label 0.5, expected whole numbers"),
        ({"y_test": np.full(10, np.nan)}, "y_test has label nan"),
        ({"y_train": np.full(20, 1e300)}, r"y_train has label 1e\+300, expected at most"),
        ({"y_train": np.full(20, 2**63, np.uint64)}, r"y_train has label 9.22337e\+18, expected at most"),
        ({"y_train": LABELS + 1}, "y_train has 10 classes, 1 to 10, expected 0 to 9; set data.first_label: 1"),
        ({"first_label": 1}, "y_train has 10 classes, 0 to 9, expected 1 to 10; set data.first_label: 0"),
        ({"y_train": LABELS.astype(int) - 1}, "y_train has 10 classes, -1 to 8, expected 0 to 9$"),
        ({"y_train": np.where(LABELS == 7, 10, LABELS)}, "y_train has 10 classes, 0 to 10 without 7, expected 0 to 9$"),
        ({"y_train": LABELS * 0 + 3}, "y_train has only the label 3, expected at least 2 classes"),
        ({"y_test": LABELS[:10] + 1}, "y_test has label 10, expected 0 to 9 as in y_train"),
        ({"y_test": LABELS[:10] - 1.0}, "y_test has label -1, expected 0 to 9"),
        ({"first_label": 1, "y_train": LABELS + 1}, "y_test has label 0, expected 1 to 10"),
    ],
)
def test_what_fits_no_training_is_refused(changes, message):
    with pytest.raises(InputError, match=f"^data: {message}"):
        check(**changes)


@pytest.mark.parametrize(("classes", "dtype"), [(256, np.uint8), (257, np.int32)])
def test_every_label_fits_its_dtype(classes, dtype):
    labels = np.arange(classes)
    images = np.zeros((classes, 1, 1), np.uint8)
    found = checked({"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}, "data", 0)
    assert found["y_train"].dtype == found["y_test"].dtype == dtype
    assert found["y_test"].tolist() == list(range(classes))


def test_a_label_below_the_first_one_is_refused_also_where_the_last_fits():
    labels = np.where(LABELS == 0, -1, LABELS.astype(int))
    with pytest.raises(InputError, match="y_train has 10 classes, -1 to 9 without 0"):
        check(y_train=labels, y_test=labels[:10])


def test_images_of_any_order_become_contiguous_floats_too():
    found = check(x_train=np.asfortranarray(IMAGES / 255), x_test=IMAGES[:10] / 255)
    assert found["x_train"].flags.c_contiguous
