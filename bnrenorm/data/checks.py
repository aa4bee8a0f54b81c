"""The checks that every data set passes, whatever file it comes from: arrays are brought to one form, or refused.

`name` of an array and `source` of the data set are for messages; all functions raise InputError.
"""

import numpy as np

from bnrenorm.data.names import ARRAYS
from bnrenorm.errors import InputError

_LARGEST_LABEL = 2**31 - 1
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


def checked(arrays: dict[str, np.ndarray], source: str, first_label: int) -> dict[str, np.ndarray]:
    """Return images (N, ...) as uint8 or float32 and labels (N,) from 0 as uint8 or, above 255, int32.

    The training labels must be first_label, first_label + 1, ... without gaps, which become 0 to k - 1.
    """
    x_train, y_train, x_test, y_test = (arrays[name] for name in ARRAYS)
    x_train, x_test = images("x_train", x_train, source), images("x_test", x_test, source)
    y_train, y_test = labels("y_train", y_train, source), labels("y_test", y_test, source)
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        if len(x) != len(y):
            raise InputError(f"{source}: {len(x)} images in x_{split}, but {len(y)} labels in y_{split}")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(f"{source}: training images are {x_train.shape[1:]}, test images {x_test.shape[1:]}")
    _check_scale(x_train, x_test, source)
    classes = _classes(y_train, source, first_label)
    if outside := y_test[(y_test < first_label) | (y_test >= first_label + classes)].tolist():
        expected = f"{first_label} to {first_label + classes - 1} as in y_train"
        raise InputError(f"{source}: y_test has label {outside[0]}, expected {expected}")
    dtype = np.uint8 if classes <= 256 else np.int32
    y_train, y_test = ((y - first_label).astype(dtype) for y in (y_train, y_test))
    return dict(zip(ARRAYS, (x_train, y_train, x_test, y_test), strict=True))


def images(name: str, array: np.ndarray, source: str) -> np.ndarray:
    """Return bytes, and other integers in 0..255, as uint8, and finite floats and true or false as float32."""
    if array.ndim < 2 or array.size == 0:
        expected = "(images, ...) with at least one image and pixel"
        raise InputError(f"{source}: {name} has shape {array.shape}, expected {expected}")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{source}: {name} is {array.dtype}, expected integers in 0 to 255, or floats")
    low, high = array.min(), array.max()  # both NaN if there is a NaN
    if array.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise InputError(f"{source}: {name} is {array.dtype} from {low} to {high}, expected 0 to 255, or floats")
        return np.ascontiguousarray(array, np.uint8)
    for value in (low, high):
        if not abs(float(value)) <= _LARGEST_FLOAT:
            raise InputError(f"{source}: {name} has the value {value:g}, expected finite numbers that fit float32")
    return np.ascontiguousarray(array, np.float32)


def _check_scale(x_train: np.ndarray, x_test: np.ndarray, source: str) -> None:
    """Refuse splits of which one was scaled and the other was not: the network would see other images in the test."""
    if x_train.dtype != x_test.dtype:
        train, test = ("bytes" if x.dtype == np.uint8 else "floats" for x in (x_train, x_test))
        raise InputError(f"{source}: x_train is {train}, x_test {test}, expected one type and scale")
    train, test = float(x_train.max()), float(x_test.max())
    for x, high, other in ((x_train, train, test), (x_test, test, train)):
        if x.min() >= 0 and 0 < high <= 1 and other > 2:
            raise InputError(f"{source}: test images reach {test:g}, training images {train:g}, expected one scale")


def labels(name: str, array: np.ndarray, source: str) -> np.ndarray:
    """Return whole numbers, of any type and shaped (N,) or (N, 1), as int64 (N,)."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        hint = " (of one-hot labels save y.argmax(axis=1))" if _is_one_hot(array) else ""
        what = f"{array.dtype} of shape {array.shape}"
        raise InputError(f"{source}: {name} is {what}, expected one whole number per image{hint}")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
        if (broken := array[~(array == np.floor(array))]).size:
            raise InputError(f"{source}: {name} has label {broken[0]:g}, expected whole numbers")
    if (beyond := array[(array < -_LARGEST_LABEL) | (array > _LARGEST_LABEL)]).size:
        raise InputError(f"{source}: {name} has label {beyond[0]:g}, expected at most {_LARGEST_LABEL:,}")
    return array.astype(np.int64)


def _is_one_hot(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.dtype.kind in "biuf" and ((array == 1).sum(axis=1) == 1).all().item()


def _classes(y_train: np.ndarray, source: str, first_label: int) -> int:
    """Return the number of classes of the training labels, which must be first_label, first_label + 1, ..."""
    present = np.unique(y_train)
    low, high, classes = int(present[0]), int(present[-1]), len(present)
    if classes < 2:
        raise InputError(f"{source}: y_train has only the label {low}, expected at least 2 classes")
    if low == first_label and high == first_label + classes - 1:
        return classes
    gap = hint = ""
    if high - low >= classes:
        gap = f" without {next(label for label, there in enumerate(present, low) if label != there)}"
    elif low in (0, 1):
        hint = f"; set data.first_label: {low}"
    expected = f"{first_label} to {first_label + classes - 1}"
    raise InputError(f"{source}: y_train has {classes} classes, {low} to {high}{gap}, expected {expected}{hint}")
