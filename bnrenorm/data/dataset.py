"""Data sets: loading, validation, checksum, and conversion to float32."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bnrenorm.data import files, mnist
from bnrenorm.errors import InputError
from bnrenorm.rng import Stream, generator


@dataclass(frozen=True)
class Dataset:
    """Images and labels as read from the file.

    x_train (N, ...), x_test (M, ...): uint8 in 0..255, or finite floats, which are not rescaled.
    y_train (N,), y_test (M,): integers >= 0. `source` names the origin in messages.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    source: str

    @cached_property
    def checksum(self) -> str:
        """sha256 of the raw arrays: equal images have equal checksums, whatever file they were read from."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def inputs(self) -> int:
        """Number of values per image, D."""
        return int(np.prod(self.x_train.shape[1:]))

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

    def check_classes(self, outputs: int) -> None:
        """Raise InputError unless all labels are in 0..outputs - 1 and every class occurs in the training set."""
        for name, labels in (("y_train", self.y_train), ("y_test", self.y_test)):
            out_of_range = labels[(labels < 0) | (labels >= outputs)]
            if len(out_of_range):
                raise InputError(f"{self.source}: {name} has label {out_of_range[0]}, expected 0 to {outputs - 1}")
        classes = len(np.unique(self.y_train))
        if classes < outputs:
            raise InputError(
                f"{self.source}: y_train has {classes} classes, but model.outputs is {outputs}; set model.outputs"
            )


def load(path: str | None = None) -> Dataset:
    """Load the shipped MNIST (path None), a folder with four IDX files, or an .npz file.

    Raises InputError, naming the file, if it is missing or not a valid data set.
    """
    if path is None:
        return Dataset(**mnist.digits(), source="mnist")
    location = Path(path).expanduser()
    if not location.exists():
        raise InputError(f"data.path: {path} does not exist; expected a folder of four IDX files or an .npz file")
    data = Dataset(**(files.read_folder(location) if location.is_dir() else files.read_npz(location)), source=str(path))
    _check(data)
    return data


def _check(data: Dataset) -> None:
    for x_name, x, y_name, y in (
        ("x_train", data.x_train, "y_train", data.y_train),
        ("x_test", data.x_test, "y_test", data.y_test),
    ):
        if x.ndim < 2 or len(x) == 0:
            raise InputError(f"{data.source}: {x_name} has shape {x.shape}, expected (images, ...) with at least one")
        if x.dtype != np.uint8 and not (x.dtype.kind == "f" and np.isfinite(x).all()):
            raise InputError(f"{data.source}: {x_name} is {x.dtype}, expected uint8 or finite floats")
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise InputError(f"{data.source}: {y_name} is {y.dtype} of shape {y.shape}, expected integers (images,)")
        if len(x) != len(y):
            raise InputError(f"{data.source}: {len(x)} images in {x_name}, but {len(y)} labels in {y_name}")
    if data.x_train.shape[1:] != data.x_test.shape[1:]:
        raise InputError(
            f"{data.source}: training images are {data.x_train.shape[1:]}, test images {data.x_test.shape[1:]}"
        )
