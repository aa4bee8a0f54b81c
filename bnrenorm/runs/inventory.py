"""What a folder of results holds: its runs with their trials, and how to remove a run and the trials of it alone.

A run folder lists the keys of its trials in `.trials.json`. Trials are shared: one that another run lists is kept, and
so are all trials while there is a run that does not say which are its own.
"""

import json
import os
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from bnrenorm import atomic, disk
from bnrenorm.config import CONFIG_FILE, TRIALS_LIST, Trial
from bnrenorm.config.document import unknown
from bnrenorm.engines.backend import BACKENDS
from bnrenorm.errors import InputError
from bnrenorm.numbers import counted
from bnrenorm.runs import checkpoint, run_folder, sealed
from bnrenorm.runs.store import KEY, Store

_LIMIT = 2**24  # bytes of it: some 800,000 keys
_NAME = re.compile(r"\w[\w-]*-[0-9a-f]{8}")


@dataclass(frozen=True)
class Run:
    """A run folder: its state (`run_folder.state`), and when it was last written to.

    `keys` are those of its trials, None if it does not list them, as those of older versions; `stored` counts the ones
    that are finished; `size` is in bytes, with the trials and the checkpoints.
    """

    folder: Path
    state: str
    keys: frozenset[str] | None
    stored: int
    size: int
    written: float


@dataclass(frozen=True)
class Removed:
    """What was removed with a run: how many trials and bytes; `kept` trials are in use by other runs."""

    trials: int
    kept: int
    size: int


def list_trials(folder: Path, keys: Collection[str]) -> None:
    """Write down that a run has the trials of these keys, those of another engine that it lists already among them."""
    atomic.write(folder / TRIALS_LIST, json.dumps(sorted({*keys, *(listed(folder) or ())})))


def elsewhere(config: str, out: Path) -> str:
    """Return a remark on a run whose trials are not all in the folder of results `out`; "" for all else."""
    run = Path(config).parent if Path(config).name == CONFIG_FILE else Path(config)
    home = run.resolve().parent if run.name in ("", "..") else run.parent
    is_run = disk.is_file(run / CONFIG_FILE)
    if not is_run or all(map(Store(out).has, listed(run) or ())) or home.resolve() == out.resolve():
        return ""
    return f"the trials of {run} are in {home}, and results go to {out}: --out {quote(str(home))} uses them"


def runs(store: Store) -> list[Run]:
    """Return the runs, the one that was written last at the end."""
    return sorted((_run(folder, store) for folder in _folders(store)), key=lambda run: run.written)


def of_no_run(store: Store) -> list[str]:
    """Return the keys of the trials that no run lists, as of shards; none while there is a run that lists nothing."""
    keys = [listed(folder) for folder in _folders(store)]
    return [] if None in keys else sorted(set(store.finished()).difference(*(of or () for of in keys)))


def of_another_version(folder: Path, store: Store, trials: Iterable[Trial], checksum: str) -> str:
    """Return a remark on the stored trials that a run lists, and that no engine of this version would store; or "".

    trials: those of the whole experiment; checksum: of its images.
    """
    others = {key for key in listed(folder) or () if store.has(key)}
    for backend in BACKENDS:
        if others:
            others -= {trial.key(checksum, backend.address(trial.settings)) for trial in trials}
    are = f"{counted(len(others), 'stored trial')} of this run {'is' if len(others) == 1 else 'are'}"
    return f"{are} of another version of bnrenorm, whose numbers may differ: not used" if others else ""


def remove(store: Store, name: str) -> Removed:
    """Remove a run by the name of its folder, with its checkpoints and the trials that no other run lists.

    Raises InputError if there is no such run, or if a process is writing there; OSError if the disk fails.
    """
    folders = {folder.name: folder for folder in _folders(store)}
    if name not in folders and disk.is_file(Path(name) / CONFIG_FILE):  # whose name another run here may have
        raise InputError(f"--remove {name}: is not in {store.root}, expected a run there, or its folder as --out")
    if name not in folders:
        raise InputError(f"--remove {unknown(name, folders, 'run')}" if folders else f"--remove {name}: no runs there")
    with run_folder.locked(folders[name]):
        run = _run(folders[name], store)
        others = [listed(folder) for other, folder in folders.items() if other != name]
        used = frozenset().union(*(keys for keys in others if keys is not None))
        own = frozenset() if None in others or run.keys is None else run.keys - used
        gone = [store.path(key) for key in sorted(own)]
        removed = sum(map(store.has, own))
        gone += checkpoint.of(store.checkpoints, (run.keys or frozenset()) - used)
        size = sum(map(sealed.size, gone)) + _size(_files(run.folder))
        for path in gone:
            sealed.delete(path)
        disk.delete_folder(run.folder)
    return Removed(removed, run.stored - removed, size)


def _folders(store: Store) -> list[Path]:
    """Return the run folders, also those of other users; a link is none, for what is behind it may be anything."""
    candidates = (path for path in disk.names(store.root, "*-*") if _NAME.fullmatch(path.name))
    folders = (path for path in candidates if not disk.is_link(path) and disk.is_folder(path))
    return [path for path in folders if disk.is_file(path / CONFIG_FILE) or not disk.may_enter(path)]


def _run(folder: Path, store: Store) -> Run:
    keys = listed(folder)
    stored = [key for key in keys or () if store.has(key)]
    begun = [] if keys is None or len(stored) == len(keys) else checkpoint.of(store.checkpoints, keys)
    files = _files(folder)
    size = _size(files) + sum(map(sealed.size, [*map(store.path, stored), *begun]))
    written = max((file.st_mtime for path, file in files.items() if not path.name.startswith(".lock")), default=0.0)
    return Run(folder, run_folder.state(folder), keys, len(stored), size, written)


def listed(folder: Path) -> frozenset[str] | None:
    """Return the keys that a run lists; None if it has no list, or one that is not as it was written."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        keys = json.loads(disk.read_regular(folder / TRIALS_LIST, _LIMIT))
        if keys and isinstance(keys, list) and all(KEY.fullmatch(key) for key in keys):
            return frozenset(keys)
    return None


def _files(folder: Path) -> dict[Path, os.stat_result]:
    """Return the files of a folder; one that another process has just renamed or deleted is none."""
    files = {}
    for path in disk.names(folder, "**/*"):
        with suppress(FileNotFoundError):
            if disk.is_file(path):
                files[path] = disk.own_status(path)
    return files


def _size(files: dict[Path, os.stat_result]) -> int:
    return sum(file.st_size for file in files.values())
