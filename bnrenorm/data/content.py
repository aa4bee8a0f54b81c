"""The content of one untrusted file: a regular file, gzipped or not, of bounded size, of a format that its bytes tell.

Sizes that a file announces are checked before memory is taken for them. Pickles are never loaded.
"""

import gzip
import math
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from bnrenorm import disk
from bnrenorm.errors import InputError, cut

LIMIT = 2**30  # bytes per array; the largest of MNIST has 47 million
_FILE_LIMIT = 4 * LIMIT
DEFLATE_RATIO = 1032  # bytes that one byte of a gzip or zip file can unfold to, at most
_GZIP = b"\x1f\x8b"
_HEAD = 512

NPY, NPZ, IDX, CSV = "an .npy file", "a zip archive", "an IDX file", "a table"
_SIGNATURES = {
    b"\x93NUMPY": NPY,
    b"PK": NPZ,
    _GZIP: "gzipped twice",
    b"\x80": "a pickle, which is never loaded",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"MATLAB": "a MATLAB file",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "text in UTF-16 instead of UTF-8",
    b"\xfe\xff": "text in UTF-16 instead of UTF-8",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"7z\xbc\xaf": "packed by 7-Zip",
    b"version https://git-lfs": "a Git LFS pointer instead of the file",
}
_SEPARATORS = {"\t": "tabs", ";": "semicolons"}
_NOT_REGULAR = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


@dataclass(frozen=True)
class Content:
    """The bytes of a file, unpacked; `name` is its path, or the path and the member of an archive.

    capacity: bytes that `file` can give, at most. kind: NPY, NPZ, IDX, CSV, or in words what else it is.
    """

    name: str
    file: IO[bytes]
    capacity: int
    kind: str = NPY

    def array(self, shape: tuple[int, ...], dtype: np.dtype, *, order: Literal["C", "F"] = "C") -> np.ndarray:
        """Read an array that ends with the file. Raises InputError for another size, or one beyond the limits."""
        size = math.prod(shape) * dtype.itemsize
        if size > LIMIT or min(shape, default=0) < 0:
            raise InputError(f"{self.name}: announces shape {cut(str(shape))} of {dtype}, the limit is {LIMIT:,} bytes")
        if size > self.capacity:
            raise InputError(f"{self.name}: announces {size:,} bytes, but can hold {self.capacity:,} at most")
        content = self.file.read(size)
        if len(content) < size:
            raise InputError(f"{self.name}: truncated: {len(content):,} of {size:,} bytes")
        if self.file.read(1):
            raise InputError(f"{self.name}: longer than the {size:,} bytes that its header announces")
        return np.frombuffer(content, dtype).reshape(shape, order=order)  # pyright: ignore[reportArgumentType]


@contextmanager
def opened(path: Path) -> Iterator[Content]:
    """Open a file for reading. Whatever goes wrong inside the context becomes an InputError that names the file."""
    try:
        size = regular_size(path)
        with disk.opened(path) as raw:
            gzipped = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            with gzip.open(raw) if gzipped else raw as file:
                head = file.read(_HEAD)
                file.seek(0)
                kind, capacity = _kind(head), size
                if gzipped:
                    capacity, kind = size * DEFLATE_RATIO, "a gzipped zip archive" if kind == NPZ else kind
                yield Content(str(path), file, capacity, kind)  # pyright: ignore[reportArgumentType]
    except InputError:
        raise
    except (EOFError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: is cut off or damaged") from error
    except Exception as error:  # parsers of untrusted bytes raise almost anything
        raise InputError(f"{path}: cannot be read: {cut(str(error)) or type(error).__name__}") from error


def regular_size(path: Path) -> int:
    """Return the size of a regular file in bytes. Raises InputError for anything else, and above the limit."""
    status = disk.status(path)
    for is_kind, kind in _NOT_REGULAR.items():
        if is_kind(status.st_mode):
            raise InputError(f"{path}: is {kind}, expected a regular file")
    if status.st_size > _FILE_LIMIT:
        raise InputError(f"{path}: has {status.st_size:,} bytes, the limit is {_FILE_LIMIT:,}")
    return status.st_size


def _kind(head: bytes) -> str:
    """Name the format of a file by its first bytes."""
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if not head:
        return "empty"
    if head.startswith(b"\0\0"):
        return IDX
    text = head.decode("utf-8-sig", errors="replace")
    if re.match(r"\s*<(!doctype|html|\?xml)", text, re.IGNORECASE):
        return "a web page instead of the file"
    line = next(iter(text.strip().splitlines()), "")
    if not line.replace("\t", " ").isprintable():
        return f"of an unknown format that starts with the bytes {head[:4].hex(' ')}"
    if "," in line:
        return CSV
    for separator, name in _SEPARATORS.items():
        if separator in line:
            return f"text separated by {name} instead of commas"
    return f"text that starts with {line[:20]!r}"
