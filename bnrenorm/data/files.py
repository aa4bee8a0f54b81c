"""Reading untrusted user files, IDX (gzipped or not) and .npz, and writing IDX.

Every function raises InputError with the file's name and what is wrong with it. Pickles are never loaded, and no array
takes more than `LIMIT` bytes of memory.
"""

import gzip
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from bnrenorm import atomic
from bnrenorm.errors import InputError

LIMIT = 2**30  # bytes per array; the largest of MNIST has 47 million
ARRAYS = {  # array name -> original name of its IDX file, without .gz
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_UNSIGNED_BYTE = 0x08


def read_folder(folder: Path) -> dict[str, np.ndarray]:
    """Read the four IDX files of a folder; returns x_train, y_train, x_test and y_test as uint8."""
    arrays = {}
    for name, stem in ARRAYS.items():
        paths = [folder / (stem + suffix) for suffix in ("", ".gz")]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise InputError(f"{folder}: has neither {paths[0].name} nor {paths[1].name}")
        arrays[name] = read_idx(path, dimensions=3 if name.startswith("x") else 1)
    return arrays


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read one IDX file of unsigned bytes; raises InputError if it has another number of dimensions."""
    try:
        with path.open("rb") as raw:
            gzipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.open(raw) if gzipped else raw as file:
                return _parse_idx(file, path, dimensions)  # pyright: ignore[reportArgumentType]
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _parse_idx(file: IO[bytes], path: Path, dimensions: int) -> np.ndarray:
    header = file.read(4 + 4 * dimensions)
    if len(header) < 4 + 4 * dimensions or header[:4] != bytes([0, 0, _UNSIGNED_BYTE, dimensions]):
        magic = int.from_bytes(header[:4], "big")
        expected = _UNSIGNED_BYTE << 8 | dimensions
        raise InputError(f"{path}: magic number {magic}, expected {expected} (IDX, unsigned bytes, {dimensions}-d)")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    size = math.prod(shape)
    if size > LIMIT:
        raise InputError(f"{path}: announces {size:,} bytes, the limit is {LIMIT:,}")
    content = file.read(size)
    if len(content) < size:
        raise InputError(f"{path}: truncated: {len(content):,} of {size:,} bytes")
    if file.read(1):
        raise InputError(f"{path}: longer than the {size:,} bytes that its header announces")
    return np.frombuffer(content, np.uint8).reshape(shape)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read x_train, y_train, x_test and y_test of an .npz archive; other arrays in it are ignored."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in ARRAYS:
                if f"{name}.npy" not in archive.namelist():
                    raise InputError(f"{path}: has no array {name}; expected {', '.join(ARRAYS)}")
                arrays[name] = _read_member(archive, name, path)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as .npz: {error}") from error
    return arrays


def _read_member(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    if archive.getinfo(f"{name}.npy").file_size > LIMIT:
        raise InputError(f"{path}: {name} is larger than the limit of {LIMIT:,} bytes")
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise InputError(f"{path}: {name} holds pickled Python objects, expected numbers")
        if math.prod(shape) * dtype.itemsize > LIMIT:
            raise InputError(f"{path}: {name} announces more than the limit of {LIMIT:,} bytes")
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def export(arrays: dict[str, np.ndarray], folder: Path) -> list[Path]:
    """Write the four *-ubyte.gz files, deterministic to the byte; returns their paths."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{stem}.gz" for stem in ARRAYS.values()]
        for name, path in zip(ARRAYS, paths, strict=True):
            atomic.write(path, gzip.compress(idx_bytes(arrays[name]), compresslevel=6, mtime=0))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
    return paths


def idx_bytes(array: np.ndarray) -> bytes:
    """Encode an array of unsigned bytes in the IDX format."""
    header = struct.pack(f">HBB{array.ndim}I", 0, _UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, np.uint8).tobytes()
