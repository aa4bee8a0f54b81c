"""Results on disk: one file per finished trial, shared by all experiments, and checkpoints of those in training.

A trial's file is addressed by everything that decides its numbers, so that a command given again, with more seeds or
one more variant, trains only what is missing. Every file is written whole or not at all, and used only if it is as it
was written (`sealed`).
"""

import re
from pathlib import Path
from typing import Any

from bnrenorm import atomic, disk
from bnrenorm.config import TRIALS, Trial
from bnrenorm.config.trial import key_of
from bnrenorm.errors import InputError
from bnrenorm.runs import sealed
from bnrenorm.runs.schema import StoredTrial, plain
from bnrenorm.runs.sealed import Damaged
from bnrenorm.training.records import TrialResults

KEY = re.compile(r"[0-9a-f]{16}")
"""The form of a trial's key."""


class Store:
    """The folder of all results: `trials/`, `checkpoints/`, and one folder per experiment (`run_folder`)."""

    def __init__(self, root: Path):
        """Raises InputError for a path that no file system takes."""
        try:
            disk.status(root)
        except (FileNotFoundError, NotADirectoryError):
            pass  # `prepare` creates it, or says why it cannot
        except (OSError, ValueError) as error:
            raise InputError(f"--out {root}: {getattr(error, 'strerror', None) or error}") from error
        self.root = root
        self.trials = root / TRIALS
        self.checkpoints = root / "checkpoints"

    def prepare(self) -> None:
        """Create the folders, and remove what killed commands left. Raises InputError if they cannot be written."""
        try:
            for folder in (self.trials, self.checkpoints):
                make_folder(folder)
                atomic.remove_abandoned(folder)
            disk.try_to_write(self.trials)
        except OSError as error:
            raise InputError(f"--out {self.root}: cannot be written: {error.strerror}") from error

    def has(self, key: str) -> bool:
        """Tell whether a trial is finished, without reading its file, which may be damaged: see `read`."""
        return disk.exists(self.path(key))

    def finished(self) -> list[str]:
        """List the keys of the trials that are finished."""
        return [path.stem for path in disk.names(self.trials, "*.json") if KEY.fullmatch(path.stem)]

    def read(self, key: str) -> TrialResults:
        """Return a finished trial. Raises Damaged if it is not as it was written, or OSError if the disk fails."""
        return self._read(key)[0]

    def current_key(self, key: str) -> str | None:
        """Return the key that this version gives to a finished trial, "" if too little is stored, None if damaged."""
        try:
            content = sealed.read(self.path(key))
            made_by = content["provenance"]
            engine = f"{made_by['engine']} on {made_by['device'].partition(':')[0]}"
            return key_of(content["data"], engine, content["seed"], content["settings"])
        except Damaged:
            return None
        except (KeyError, TypeError, AttributeError):  # of an older version
            return ""

    def read_all(self, keys: dict[Trial, str]) -> tuple[list[tuple[Trial, TrialResults]], dict[str, Damaged]]:
        """Return the trials of these keys with their results, and by their keys why others cannot be used."""
        results, damaged = [], {}
        for trial, key in keys.items():
            try:
                results.append((trial, self.read(key)))
            except Damaged as error:
                damaged[key] = error
        return results, damaged

    def copy(self, key: str, source: "Store") -> None:
        """Store a trial of another folder, in place of what was there. Raises like `read`."""
        result, content = source._read(key)
        sealed.write(self.path(key), content, result.parameters)

    def _read(self, key: str) -> tuple[TrialResults, dict[str, Any]]:
        path = self.path(key)
        content = sealed.read(path)
        try:
            stored = StoredTrial.model_validate(content)
        except ValueError as error:
            raise Damaged(f"{path} does not have what a trial needs") from error
        if stored.key != key:
            raise Damaged(f"{path} is that of another trial")
        parameters = sealed.read_arrays(path, content)
        return TrialResults(stored.outcome, stored.seconds, stored.records, stored.provenance, parameters), content

    def write(self, key: str, trial: Trial, checksum: str, result: TrialResults) -> None:
        """Store a finished trial with its settings, in place of what was there."""
        content = {
            "key": key,
            "seed": trial.seed,
            "data": checksum,
            "settings": trial.resolved(),
            **{name: getattr(result, name) for name in ("outcome", "seconds", "provenance")},
            "records": plain(result.records),
        }
        sealed.write(self.path(key), content, result.parameters)

    def path(self, key: str) -> Path:
        """Return the file of a trial."""
        return self.trials / f"{key}.json"


def make_folder(folder: Path) -> None:
    """Create a folder. Raises InputError if it is a symbolic link: only --out itself may be one, or be behind one.

    Folders inside are written to and cleared without being asked for by name.
    """
    if disk.is_link(folder):
        raise InputError(f"{folder}: is a symbolic link, expected a folder; make {folder.parent} the link instead")
    disk.make(folder)
