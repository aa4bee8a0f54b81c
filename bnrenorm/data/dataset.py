"""Data sets: loading, checksum, and conversion to float32."""

import hashlib
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from bnrenorm import disk
from bnrenorm.config.schema import Data
from bnrenorm.data import files, mnist
from bnrenorm.data.checks import checked
from bnrenorm.data.described import Described
from bnrenorm.data.names import ARRAYS
from bnrenorm.errors import InputError
from bnrenorm.rng import Stream, generator

_DIGITS = Data()
_DARK = 0.1  # largest pixel below which images count as darker than 0..1
_UNEVEN = 100  # ratio of two columns' ranges, beyond which one drowns the other


@dataclass(frozen=True)
class Dataset:
    """Images and labels, in the form that `checks` gives them.

    x_train (N, ...), x_test (M, ...): both uint8, or both float32, which is not rescaled. y_train (N,), y_test (M,):
    classes from 0, uint8 or int32. `source` names the origin in messages, and `note` says what the user should know of
    how it was read. `load` checks all this.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    source: str
    note: str = ""

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The four arrays by their names."""
        return {name: getattr(self, name) for name in ARRAYS}

    @cached_property
    def checksum(self) -> str:
        """sha256 of the arrays: equal images have equal checksums, whatever file they were read from."""
        digest = hashlib.sha256()
        for array in self.arrays.values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def classes(self) -> int:
        """Number of classes: the labels of `y_train` are 0 to classes - 1."""
        return int(self.y_train.max()) + 1

    @property
    def unusual_range(self) -> tuple[float, float] | None:
        """Smallest and largest pixel as `scaled` returns them; None if they are in 0..1 and not all darker than 0.1.

        Whole numbers are divided by 255 even if they are far from reaching it.
        """
        factor = 1 / 255 if self.x_train.dtype == np.uint8 else 1
        low = factor * min(float(images.min()) for images in (self.x_train, self.x_test))
        high = factor * max(float(images.max()) for images in (self.x_train, self.x_test))
        return None if low >= 0 and (_DARK < high <= 1 or high == 0) else (low, high)

    @property
    def uneven_columns(self) -> tuple[float, float] | None:
        """Two ranges of values, where those of floats differ so much that the large ones drown the small ones.

        The range of a quarter of the columns is at most the first, that of one the second, more than 100 times as much;
        columns that are constant do not count. None if there is no such difference.
        """
        if self.x_train.dtype == np.uint8:
            return None
        flat = self.x_train.reshape(len(self.x_train), -1)
        ranges = flat.max(axis=0).astype(np.float64) - flat.min(axis=0)
        ranges = np.sort(ranges[ranges > 0])
        if not len(ranges) or ranges[-1] <= _UNEVEN * ranges[len(ranges) // 4]:
            return None
        return float(ranges[len(ranges) // 4]), float(ranges[-1])

    @property
    def inputs(self) -> int:
        """Number of values per image, D."""
        return int(np.prod(self.x_train.shape[1:]))

    @property
    def described(self) -> Described:
        """What a run folder says of the images."""
        counts = {"train": len(self.x_train), "test": len(self.x_test), "classes": self.classes}
        counts["most_frequent"] = int(np.bincount(self.y_test).max())
        return Described(source=self.source, checksum=self.checksum, **counts)

    @cached_property
    def nonzero(self) -> tuple[int, int]:
        """How many values of the training and of the test images are not 0."""
        return int(np.count_nonzero(self.x_train)), int(np.count_nonzero(self.x_test))

    def keeping(self) -> "Dataset":
        """Return the same data set, which keeps what `scaled` returns: for groups that train one after another."""
        keeping = copy(self)
        vars(keeping)["scaled"] = cache(self.scaled)  # `vars`: it is frozen
        return keeping

    def scaled(self, split: str) -> np.ndarray:
        """Return the "train" or "test" images as float32 (N, D), uint8 multiplied by 1/255 as in `chainer.datasets`."""
        images = self.x_train if split == "train" else self.x_test
        flat = images.reshape(len(images), -1).astype(np.float32)
        if images.dtype == np.uint8:
            flat *= np.float32(1 / 255)
        return flat

    def labels(self, split: str) -> np.ndarray:
        """Return the "train" or "test" labels as int32 (N,)."""
        return (self.y_train if split == "train" else self.y_test).astype(np.int32)

    def split(self, validation: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Split the training set at random into (images, labels) to learn from and (images, labels) for validation.

        `validation` is the number of held-out images. The split is the same for every seed of an experiment.
        """
        images, labels = self.scaled("train"), self.labels("train")
        if not validation:
            return (images, labels), (images[:0], labels[:0])
        learning, held_out = self._split(validation)
        return (images[learning], labels[learning]), (images[held_out], labels[held_out])

    def learning_labels(self, validation: int) -> np.ndarray:
        """Return the labels (N,) of the images to learn from: see `split`."""
        return self.labels("train")[self._split(validation)[0]]

    def _split(self, validation: int) -> tuple[np.ndarray, np.ndarray]:
        order = generator(0, Stream.VALIDATION).permutation(len(self.x_train))
        return np.sort(order[validation:]), np.sort(order[:validation])


def load(settings: Data = _DIGITS) -> Dataset:
    """Load the shipped MNIST (path None), or the user's files at `data.path`: see docs/data.md for what may be there.

    Raises InputError, naming the file, if it is missing or not a valid data set; and for digits with `first_label` 1.
    """
    if settings.path is None:
        if settings.first_label:
            raise InputError("data.first_label: is 1, expected 0 for the digits shipped with bnrenorm")
        return Dataset(**mnist.digits(), source="mnist", note="")
    try:
        if not settings.path:
            raise ValueError("expected a file or a folder")
        location = Path(settings.path).expanduser()
        disk.status(location)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: also of a null character; RuntimeError: ~nobody
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, FileNotFoundError) and not Path(settings.path).expanduser().is_absolute():
            reason = f"{reason} (relative to the working directory)"
        raise InputError(f"data.path: {settings.path!r} cannot be read: {reason}") from error
    arrays, note = files.read(location)
    return Dataset(**checked(arrays, settings.path, settings.first_label), source=settings.path, note=note)
