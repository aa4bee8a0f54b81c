"""The folder of one experiment, which has one writer at a time."""

import errno
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any

import filelock

from bnrenorm import atomic, disk
from bnrenorm.config import Experiment
from bnrenorm.config.trial import RESULTS, digest
from bnrenorm.errors import InputError
from bnrenorm.runs.store import make_folder

_OWNER = ".owner.json"  # exists while a run writes, and after one that did not end
_LONGEST = 2**16  # bytes of it
_LOCK = ".lock"
_COMPARED = "verdict.json"
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}  # of Lustre without flock, and of NFS without its daemon
_MOMENT = 0.5  # seconds: whoever asks whether a folder is held holds it too, for much less


def path_of(root: Path, experiment: Experiment, checksum: str) -> Path:
    """Name the experiment's folder by its name and the hash of its settings and its images, which have that checksum.

    Where images of the user's own lie does not matter.
    """
    return root / f"{experiment.name}-{digest(experiment.resolved(checksum))[:8]}"


def command(run: Path, out: Path, *options: str) -> str:
    """Return the command that trains or compares the experiment of a run, or of a config, into a folder of results."""
    return " ".join(["bnrenorm compare", quote(str(run)), *options, f"--out {quote(str(out))}"])


@contextmanager
def opened(root: Path, experiment: Experiment, checksum: str) -> Iterator[Path]:
    """Lock the experiment's folder (`path_of`) for writing, and yield its path.

    Raises InputError if another process holds it, named by pid and host. The operating system releases the lock when
    the process that holds it ends. After an InputError in its context the folder goes if nothing was compared in it:
    what is asked for once the mistake is mended has another one.
    """
    folder, files = path_of(root, experiment, checksum), experiment.files()
    make_folder(folder)
    atomic.remove_abandoned(folder)
    with locked(folder):
        owner = folder / _OWNER
        atomic.write(owner, json.dumps({"pid": os.getpid(), "host": platform.node(), "results": RESULTS}))
        for name, content in files.items():
            make_folder((folder / name).parent)
            atomic.write(folder / name, content)
        try:
            yield folder
        except InputError:
            if not is_compared(folder):
                with suppress(OSError):
                    disk.delete_folder(folder)
            raise
        disk.delete(owner)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder. Raises InputError like `opened`."""
    lock_file = folder / _LOCK
    try:
        if disk.is_link(lock_file):  # filelock follows none
            disk.delete(lock_file)
        lock = _acquired(lock_file)
    except filelock.Timeout as error:
        raise InputError(f"{folder}: {_name(folder)} is writing there") from error
    except PermissionError as error:
        raise InputError(f"{lock_file}: cannot be written: {error.strerror}") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        message = f"--out {folder.parent}: its file system cannot lock files ({error.strerror}), expected one that can"
        raise InputError(message) from error
    with lock:
        yield


def _acquired(lock_file: Path) -> filelock.AcquireReturnProxy:
    """Take a lock within a moment, and return the context that gives it back. Raises what filelock does.

    The lock is the operating system's: that of a process that was killed, also on another host, holds nobody up.
    """
    lock = filelock.FileLock(lock_file, fallback_to_soft=False)
    return lock.acquire(timeout=_MOMENT, poll_interval=_MOMENT / 50)


def state(folder: Path) -> str:
    """Tell whether a run folder is "finished", "unfinished", "being written", or "closed" to this user."""
    if not disk.may_enter(folder):
        return "closed"
    if _is_held(folder):
        return "being written"
    is_finished = disk.is_file(folder / _COMPARED) and not disk.is_file(folder / _OWNER)
    return "finished" if is_finished else "unfinished"


def is_compared(folder: Path) -> bool:
    """Tell whether a run has its verdicts."""
    return disk.is_file(folder / _COMPARED)


def others(folder: Path) -> list[Path]:
    """Return the other folders of experiments of the same name."""
    pattern = re.compile(re.escape(folder.name.rpartition("-")[0]) + "-[0-9a-f]{8}")
    return [path for path in disk.names(folder.parent) if pattern.fullmatch(path.name) and path != folder]


def unfinished(folder: Path) -> list[Path]:
    """Return other folders of experiments of the same name that were begun, did not end, and have no writer.

    Without those of a version of bnrenorm with other numbers, which this one cannot go on with.
    """
    return [path for path in others(folder) if can_go_on(path) and not _is_held(path)]


def can_go_on(folder: Path) -> bool:
    """Tell whether a run was begun by a version with the numbers of this one, and did not end."""
    return _owner(folder).get("results") == RESULTS


def _is_held(folder: Path) -> bool:
    """Tell whether a process has locked the folder; False where this one may not ask, as in a read-only folder."""
    lock_file = folder / _LOCK
    if not disk.is_file(lock_file):
        return False
    try:
        with _acquired(lock_file):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a folder that may only be read, a link, or a file system without flock
        return False


def _owner(folder: Path) -> dict[str, Any]:
    """Return what the process says of itself that writes in a folder; nothing if there is none, or it is damaged."""
    try:
        content = json.loads(disk.read_regular(folder / _OWNER, _LONGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _name(folder: Path) -> str:
    owner = _owner(folder)
    return f"process {owner['pid']} on {owner['host']}" if {"pid", "host"} <= set(owner) else "another process"
