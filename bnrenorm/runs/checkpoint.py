"""Checkpoints of a group in training, from which a killed or interrupted command resumes."""

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm import atomic
from bnrenorm.config.trial import digest
from bnrenorm.training.records import Columns

_KEPT = 2  # the newest, and the one before it in case the newest is corrupt
_NUMBERED = re.compile(r"step-(\d+)\.npz")


@dataclass(frozen=True)
class Checkpoint:
    """A training's state, each trial's records so far as columns, and the seconds spent."""

    state: dict[str, np.ndarray]
    records: list[Columns]
    seconds: float


class Checkpoints:
    """The checkpoints of one group, named by the keys of its trials in their order."""

    def __init__(self, root: Path, keys: list[str]):
        self.folder = root / digest(keys)
        self.keys = keys

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and delete all but the newest two."""
        self.folder.mkdir(parents=True, exist_ok=True)
        index = self.folder / "trials.json"
        if not index.exists():
            atomic.write(index, json.dumps(self.keys))
        rest = json.dumps({"records": checkpoint.records, "seconds": checkpoint.seconds}).encode()
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"rest": np.frombuffer(rest, np.uint8)}
        arrays |= {f"/{key}": value for key, value in checkpoint.state.items()}
        np.savez(buffer, **arrays)
        atomic.write(self.folder / f"step-{int(checkpoint.state['step']):09}.npz", buffer.getvalue())
        for path in self._newest_first()[_KEPT:]:
            path.unlink()

    def load(self) -> Checkpoint | None:
        """Return the newest checkpoint that can be read; None if there is none."""
        for path in self._newest_first():
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    rest = json.loads(archive["rest"].tobytes())
                    state = {name[1:]: archive[name] for name in archive.files if name != "rest"}
                return Checkpoint(state, rest["records"], rest["seconds"])
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue
        return None

    def discard(self) -> None:
        """Delete all of them, once the group's results are stored."""
        index = self.folder / "trials.json"
        others = [path for path in self.folder.glob("*") if path != index]  # including temporary files of killed writes
        for path in (*others, index):  # the index, which identifies the folder, goes last
            path.unlink(missing_ok=True)
        _remove_if_empty(self.folder)

    def _newest_first(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if _NUMBERED.fullmatch(path.name)), reverse=True)


def sweep(root: Path, finished: Callable[[str], bool]) -> None:
    """Delete the checkpoints of groups whose trials are all stored: a kill may have come between the two."""
    for keys in unfinished(root):
        if all(map(finished, keys)):
            Checkpoints(root, keys).discard()
    for folder in root.iterdir():
        _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def unfinished(root: Path) -> list[list[str]]:
    """List the groups that have checkpoints, as the keys of their trials."""
    found = []
    for index in sorted(root.glob("*/trials.json")):
        try:
            found.append(json.loads(index.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return found
