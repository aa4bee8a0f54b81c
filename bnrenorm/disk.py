"""Every operation on files, each a function of its own: what a disk can refuse, it refuses here.

The tests let each call of each of these fail, be torn or be the program's last (tests/faults), and check that no other
module of configs, data, runs or results touches a file in another way. All raise OSError if the disk fails.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO


def status(path: Path) -> os.stat_result:
    """Return what the system says of a file, or of what a link leads to."""
    return path.stat()


def own_status(path: Path) -> os.stat_result:
    """Return what the system says of a file, or of the link itself."""
    return path.lstat()


def exists(path: Path) -> bool:
    """Tell whether there is anything of that name, if only a link that leads nowhere."""
    return os.path.lexists(path)


def is_file(path: Path) -> bool:
    """Tell whether there is a regular file, perhaps behind a link; False if the user may not see that."""
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder, perhaps behind a link; False if the user may not see that."""
    return os.path.isdir(path)


def may_enter(folder: Path) -> bool:
    """Tell whether the user may see what is in a folder."""
    return os.access(folder, os.R_OK | os.X_OK)


def is_link(path: Path) -> bool:
    """Tell whether there is a symbolic link."""
    return path.is_symlink()


def names(folder: Path, pattern: str = "*") -> list[Path]:
    """Return what matches a pattern in a folder, sorted; nothing if there is no folder."""
    return sorted(folder.glob(pattern))


def everything_in(folder: Path) -> list[Path]:
    """Return what is in a folder. Raises OSError if there is none."""
    return sorted(folder.iterdir())


def read(path: Path) -> bytes:
    """Return the content of a file."""
    return path.read_bytes()


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of a regular file: a pipe or a device might never end. Raises ValueError for another, or more.

    Raises OSError if there is none.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("expected a regular file")
    if status.st_size > limit:
        raise ValueError(f"expected at most {limit:,} bytes")
    return path.read_bytes()


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading."""
    return path.open("rb")


def create(path: Path, data: bytes) -> None:
    """Write a new file, and make sure that its content is on the disk. Raises OSError if there is a file."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, by: Path) -> None:
    """Give the file `by` the name of another one, which is gone then."""
    os.replace(by, path)


def sync(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Delete a file, if there is one."""
    path.unlink(missing_ok=True)


def delete_folder(folder: Path) -> None:
    """Delete a folder with everything in it."""
    shutil.rmtree(folder)


def make(folder: Path) -> None:
    """Create a folder, and those around it, unless there is one."""
    folder.mkdir(parents=True, exist_ok=True)


def try_to_write(folder: Path) -> None:
    """Create a nameless file in a folder, which vanishes at once."""
    tempfile.TemporaryFile(dir=folder).close()
