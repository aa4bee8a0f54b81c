"""Atomic writes: whatever stops the program, a file has its old content or the new, never a part of it."""

import errno
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from bnrenorm import disk

_ABANDONED = 24 * 3600.0  # seconds after which a temporary file is that of a killed program; a write takes moments
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}  # a file system that does not sync folders


def write(path: Path, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path`: to a temporary file, which is synced, then renamed.

    If `path` is a symbolic link, the link is replaced and its target is left alone. If OSError is raised, it names
    `path` or its folder. The temporary file has been deleted then, and an existing `path` is unchanged, or whole and
    new if it is the folder that could not be synced.
    """
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        disk.create(temporary, data)
        disk.replace(path, by=temporary)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # in place of the temporary file, or of none if the disk is full
            del error.filename2
        with suppress(OSError):  # of a disk that fails altogether: the file goes with those of killed programs
            disk.delete(temporary)
        raise
    _sync_folder(path.parent)


def remove_abandoned(folder: Path, pattern: str = ".*.tmp") -> None:
    """Delete the files of a pattern that killed programs have left in a folder: those older than a day."""
    for path in disk.names(folder, pattern):
        with suppress(OSError):
            if time.time() - disk.own_status(path).st_mtime > _ABANDONED:
                disk.delete(path)


def _sync_folder(folder: Path) -> None:
    """Make the rename durable, where a folder can be opened (not on Windows) and synced."""
    if os.name == "posix":
        try:
            disk.sync(folder)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                error.filename = str(folder)
                raise
