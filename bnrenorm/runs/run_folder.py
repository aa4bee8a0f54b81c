"""The folder of one experiment: one writer at a time, and an unfinished experiment is not silently replaced."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import yaml

from bnrenorm import atomic
from bnrenorm.config import Experiment
from bnrenorm.config.trial import digest
from bnrenorm.errors import InputError
from bnrenorm.runs.store import make_folder

_SHOWN = 3  # differences that the error message lists


def path_of(root: Path, experiment: Experiment) -> Path:
    """Name the experiment's folder by its name and the hash of its settings."""
    return root / f"{experiment.name}-{digest(experiment.resolved())[:8]}"


@contextmanager
def opened(root: Path, experiment: Experiment, *, fork: bool) -> Iterator[Path]:
    """Lock the experiment's folder for writing, and yield its path.

    Raises InputError if another process holds it, named by pid and host; and, unless `fork`, if an unfinished
    experiment of the same name trains a variant of the same name with other settings. The operating system
    releases the lock when the process that holds it ends.
    """
    folder = path_of(root, experiment)
    if not fork:
        _refuse_changes(root, folder, experiment)
    make_folder(folder)
    atomic.remove_abandoned(folder)
    lock_file = folder / ".lock"
    if lock_file.is_symlink():  # older versions of filelock would empty its target
        lock_file.unlink()
    lock = filelock.FileLock(lock_file)
    owner = folder / ".owner.json"
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise InputError(f"{folder}: {_owner(owner)} is writing there") from error
    try:
        atomic.write(owner, json.dumps({"pid": os.getpid(), "host": platform.node()}))
        atomic.write(folder / "experiment.yaml", yaml.safe_dump(experiment.resolved(), sort_keys=False))
        yield folder
        owner.unlink()
    finally:
        lock.release()


def _owner(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def _refuse_changes(root: Path, folder: Path, experiment: Experiment) -> None:
    """Raise InputError if there is an unfinished experiment of the same name with other settings."""
    for other in sorted(root.glob(f"{experiment.name}-*")):
        if other == folder or not (other / ".owner.json").exists():
            continue
        try:
            there = yaml.safe_load((other / "experiment.yaml").read_text(encoding="utf-8"))
            changes = _differences(there, experiment.resolved())
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            continue
        if changes:
            more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            raise InputError(
                f"{other} is unfinished and differs in {'; '.join(changes[:_SHOWN])}{more}: "
                "finish it with its own settings, or give --fork (in Python fork=True) to go on with these"
            )


def _differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """List the settings that differ in variants that both have; more seeds or variants are no difference."""
    old, new = ({_cell(each): _leaves(each["settings"]) for each in one["variants"]} for one in (there, here))
    return [
        f"{variant} {key} ({old[cell].get(key)} there, {new[cell].get(key)} here)"
        for cell, variant in ((cell, json.loads(cell)["variant"]) for cell in new if cell in old)
        for key in dict.fromkeys([*old[cell], *new[cell]])
        if old[cell].get(key) != new[cell].get(key)
    ]


def _cell(entry: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in entry.items() if key != "settings"}, sort_keys=True)


def _leaves(settings: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(settings, dict):
        return {prefix: settings}
    return {k: v for key, value in settings.items() for k, v in _leaves(value, f"{prefix}.{key}".strip(".")).items()}
