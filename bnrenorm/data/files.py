"""Reading the data sets that people have, unchecked, and writing IDX files.

There is one reader per format (`idx`, `npy`, `table`), chosen by the first bytes of a file (`content`); `names` knows
what files and arrays are called, `folders` finds the four files of a data set.
"""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bnrenorm import atomic, disk
from bnrenorm.data import folders, idx, names, npy, table
from bnrenorm.data.content import CSV, IDX, NPY, NPZ, opened
from bnrenorm.data.names import ARRAYS
from bnrenorm.errors import InputError
from bnrenorm.rng import Stream, generator

TEST_SHARE = 7
"""One image in so many becomes a test image where a table has no labelled test table next to it."""

_IDX_NAMES = dict(zip(ARRAYS, ("train-images", "train-labels", "t10k-images", "t10k-labels"), strict=True))

Arrays = dict[str, np.ndarray]
"""Training and test images and labels as they are in the files; the keys are `names.ARRAYS`."""


def read(path: Path) -> tuple[Arrays, str]:
    """Read a folder of four files, or any one of these four, an .npz archive, or a .csv table of labelled images.

    Also returns what the user should know of how it was read, "" if nothing. Raises InputError that says what is there,
    if it is none of these or is damaged.
    """
    if disk.is_folder(path):
        return {array: _read_one(file) for array, file in folders.find(path).items()}, ""
    name = names.parse(path.name)
    if name is None:
        with opened(path) as content:
            if content.kind == NPZ:
                return npy.read_archive(content, lambda keys: _four(keys, path)), ""
            if content.kind == CSV:
                return _from_tables(path)
            what = "holds one array" if content.kind in (IDX, NPY) else f"is {content.kind}"
            raise InputError(f"{path}: {what}; {folders.EXPECTED}")
    return {array: _read_one(file) for array, file in folders.data_set_of(path, name).items()}, ""


def _read_one(path: Path) -> np.ndarray:
    """Read a file that holds one array."""
    with opened(path) as content:
        if content.kind == IDX:
            return idx.read(content)
        if content.kind == NPY:
            return npy.read(content)
        if content.kind == NPZ:
            return npy.read_archive(content, lambda keys: _only(keys, path))["array"]
        raise InputError(f"{path}: is {content.kind}, expected an IDX, .npy or .npz file")


def _only(keys: list[str], path: Path) -> dict[str, str]:
    if len(keys) != 1:
        raise InputError(f"{path}: has {_listed(keys)}, expected one array")
    return {"array": keys[0]}


def _four(keys: list[str], path: Path) -> dict[str, str]:
    chosen = names.choose(keys)
    if lacking := [array for array in ARRAYS if array not in chosen]:
        raise InputError(f"{path}: has {_listed(keys)}, but no array {', '.join(lacking)}")
    return {array: chosen[array] for array in ARRAYS}


def _listed(keys: list[str]) -> str:
    return f"{', '.join(sorted(keys)[: folders.SHOWN]) or 'nothing'}{', ...' if len(keys) > folders.SHOWN else ''}"


def _from_tables(path: Path) -> tuple[Arrays, str]:
    """Read the training table that `path` is or belongs to, and its test table, or draw test images."""
    train_path, test_path = folders.tables(path)
    train, test = _labelled(train_path), ""
    if test_path:
        test = _labelled(test_path) if test_path == path else _read_table(test_path)
    if not isinstance(test, str):
        dtype = np.result_type(train[0], test[0])  # whole numbers in one of two tables are floats in the other
        x_train, x_test = (images.astype(dtype, copy=False) for images, _ in (train, test))
        return dict(zip(ARRAYS, (x_train, train[1], x_test, test[1]), strict=True)), ""
    if len(train[0]) < 2:
        raise InputError(f"{train_path}: has 1 row and no test table, expected at least 2 rows")
    order = generator(0, Stream.TEST).permutation(len(train[0]))
    share = -(-len(order) // TEST_SHARE)
    held_out, learning = order[:share], order[share:]
    of = train[1]
    needed = [np.flatnonzero(of[held_out] == label)[0] for label in np.setdiff1d(of[held_out], of[learning])]
    learning = np.sort(np.append(learning, held_out[needed].astype(order.dtype)))  # every class is learned
    held_out = np.sort(np.delete(held_out, needed))
    arrays = dict(zip(ARRAYS, (part[rows] for rows in (learning, held_out) for part in train), strict=True))
    ignored = f"{test_path.name} has no labels, and " if test_path else ""
    return arrays, (
        f"{ignored}{train_path.name} has no labelled test table next to it: {len(held_out)} of its {len(order)} "
        "images, drawn at random, are the test images"
    )


def _labelled(path: Path) -> table.Table:
    labelled = _read_table(path)
    if isinstance(labelled, str):
        raise InputError(f"{path}: has the columns {labelled}, and none named {' or '.join(table.LABELS)}")
    return labelled


def _read_table(path: Path) -> table.Table | str:
    """Read a table; returns its columns if it has no labels."""
    with opened(path) as content:
        if content.kind != CSV:
            raise InputError(f"{path}: is {content.kind}, expected a table of comma-separated values")
        return table.read(content)


def export(arrays: Mapping[str, np.ndarray], folder: Path) -> list[Path]:
    """Write the arrays of a checked data set as four gzipped IDX files, the same bytes every time; returns their paths.

    Bytes give the names of MNIST's files; other types and shapes give IDX files of that type, so that nothing is lost.
    Raises InputError if the folder holds other files that would be read in place of them.
    """
    paths = {array: folder / f"{idx_name(array, values)}.gz" for array, values in arrays.items()}
    try:
        disk.make(folder)
        for other in disk.everything_in(folder):
            if names.parse(other.name) and other not in paths.values():
                raise InputError(f"{folder}: has {other.name} of another data set, expected an empty folder")
        for array, path in paths.items():
            atomic.write(path, gzip.compress(idx.encode(arrays[array]), compresslevel=6, mtime=0))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
    return list(paths.values())


def idx_name(array: str, values: np.ndarray) -> str:
    """Return the name of the IDX file of an array, without .gz: train-images-idx3-ubyte for MNIST's x_train."""
    return f"{_IDX_NAMES[array]}-{idx.suffix(values)}"
