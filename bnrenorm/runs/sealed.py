"""Stored files that prove to be as they were written: JSON with a checksum of itself and of its .npz file.

A disk, another program or a person may have changed a file since it was written. A reader gets back what was written or
`Damaged`, before any parser of arrays has seen a byte.
"""

import errno
import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm import atomic, disk
from bnrenorm.config.trial import digest

_LIMIT = 2**30  # bytes of a JSON file: some 50 million numbers


class Damaged(ValueError):
    """A file that is not as it was written; the message names it."""


def write(path: Path, content: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write plain data to `path`, a .json file, and before it the arrays, if any, to the .npz file of the same name."""
    written = None
    if arrays:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        data = buffer.getvalue()
        atomic.write(path.with_suffix(".npz"), data)
        written = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    content = {**content, "arrays": written}
    atomic.write(path, json.dumps({**content, "checksum": digest(content)}, allow_nan=False))


def read(path: Path) -> dict[str, Any]:
    """Return the plain data of a .json file, without its checksum. Raises Damaged, or OSError if the disk fails."""
    text = _regular(path, _LIMIT)
    content, is_whole = {}, False
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):  # whatever it is that was parsed
        content = json.loads(text)
        is_whole = content.pop("checksum") == digest(content) and _is_seal(content["arrays"])
    if not is_whole:
        raise Damaged(f"{path} is not as it was written")
    return content


def _is_seal(written: Any) -> bool:
    """Tell whether this is what `write` says of arrays; a folder of another version may have it otherwise."""
    return written is None or (type(written["bytes"]) is int and type(written["sha256"]) is str)


def read_arrays(path: Path, content: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of a .json file, of which `content` was read; none if it names none. Raises like `read`."""
    archive, written = path.with_suffix(".npz"), content["arrays"]
    if written is None:
        return {}
    data = _regular(archive, written["bytes"])
    if hashlib.sha256(data).hexdigest() != written["sha256"]:
        raise Damaged(f"{archive} is not as it was written")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def size(path: Path) -> int:
    """Return the bytes of a .json file and of its .npz file, 0 for what does not exist."""
    bytes_of = 0
    for file in _both(path):
        with suppress(FileNotFoundError):
            bytes_of += disk.own_status(file).st_size
    return bytes_of


def delete(path: Path) -> None:
    """Delete a .json file and its .npz file, if there are any. Raises OSError if the disk fails."""
    for file in _both(path):
        disk.delete(file)


def _both(path: Path) -> tuple[Path, Path]:
    return path.with_suffix(".npz"), path  # the .json file, which says that there is something, is deleted last


def _regular(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes."""
    try:
        return disk.read_regular(path, limit)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise
        raise Damaged(f"{path} is missing") from error
    except ValueError as error:
        raise Damaged(f"{path}: {error}") from error
