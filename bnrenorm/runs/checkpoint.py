"""Checkpoints of a group in training, from which a killed or interrupted command resumes.

Several commands may train the same group at a time: each reads and writes whole files only, and none minds if another
deletes one.
"""

import itertools
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bnrenorm import atomic, disk
from bnrenorm.config.trial import digest
from bnrenorm.errors import DeviceError
from bnrenorm.runs import sealed
from bnrenorm.runs.schema import StoredCheckpoint, plain
from bnrenorm.runs.sealed import Damaged
from bnrenorm.training.records import Columns
from bnrenorm.training.state import select

_KEPT = 2  # the newest, and the one before it in case the newest is damaged


@dataclass(frozen=True)
class Checkpoint:
    """A training's state, each trial's records so far as columns, and the seconds spent."""

    state: dict[str, np.ndarray]
    records: list[Columns]
    seconds: float


class Checkpoints:
    """The checkpoints of one group, named by the keys of its trials in their order: GROUP.step-STEP.json and .npz."""

    def __init__(self, root: Path, keys: list[str]):
        self.root, self.keys, self.group = root, keys, digest(keys)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and delete all others but the newest one."""
        path = self.root / f"{self.group}.step-{int(checkpoint.state['step']):012}.json"
        records = [plain(columns) for columns in checkpoint.records]
        content = {"keys": self.keys, "seconds": checkpoint.seconds, "records": records}
        sealed.write(path, content, checkpoint.state)
        others = [old for old in self._newest_first() if old != path]
        for old in others[_KEPT - 1 :]:
            _remove(old)

    def resume(self, load: Callable[[dict[str, np.ndarray]], None]) -> tuple[Checkpoint | None, list[Path]]:
        """Hand the newest state that is whole to `load`, which raises ValueError if it cannot take it.

        A group without one goes on from that of a larger group which has all of its trials. Returns the checkpoint,
        None if no state could be loaded, and the files of this group that were of no use, which are deleted then.
        """
        useless, own = [], self._newest_first()
        for path in itertools.chain(own, self._of_larger_groups()):
            try:
                checkpoint = _part(path, self.keys)
                load(checkpoint.state)
            except DeviceError:  # a GPU that fails or is full says nothing of the file
                raise
            except (OSError, ValueError) as error:
                if path in own:
                    useless.append(path)
                    if isinstance(error, ValueError):  # what a disk does not give now, it may give later
                        _remove(path)
                continue
            return checkpoint, useless
        return None, useless

    def _of_larger_groups(self) -> Iterator[Path]:
        """Yield their checkpoints, newest first; no file is read before the first is asked for."""
        paths = [path for path, keys in _heads(self.root) if set(self.keys) < set(keys)]
        yield from sorted(paths, key=lambda path: path.name.partition(".")[2], reverse=True)

    def discard(self) -> None:
        """Delete all of them, once the group's results are stored."""
        for path in [*self._newest_first(), *disk.names(self.root, f"{self.group}.step-*")]:
            _remove(path)

    def _newest_first(self) -> list[Path]:
        return disk.names(self.root, f"{self.group}.step-*.json")[::-1]


def unfinished(root: Path) -> list[list[str]]:
    """List the groups that have checkpoints, as the keys of their trials."""
    groups = {digest(keys): keys for _, keys in _heads(root) if keys}
    return list(groups.values())


def sweep(root: Path, finished: Callable[[str], bool]) -> None:
    """Delete damaged checkpoints, and what kills have left: those of groups whose trials are all stored, and halves."""
    for path, keys in _heads(root):
        if all(map(finished, keys)):
            _remove(path)
    halves = (path for path in disk.names(root, "*.npz") if not disk.exists(path.with_suffix(".json")))
    for path in halves:
        atomic.remove_abandoned(root, path.name)


def of(root: Path, keys: Collection[str]) -> list[Path]:
    """Return the .json files of the checkpoints of groups that have no other trials than these."""
    return [path for path, own in _heads(root) if own and set(own) <= set(keys)]


def _heads(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every checkpoint with the keys of its group, none if it is damaged."""
    for path in disk.names(root, "*.step-*.json"):
        try:
            yield path, _read(path)[0].keys
        except ValueError:
            yield path, []
        except OSError:
            continue


def _part(path: Path, keys: list[str]) -> Checkpoint:
    """Return what a checkpoint has of some of its trials. Raises Damaged if it has not all of them."""
    stored, content = _read(path)
    if not set(keys) <= set(stored.keys):
        raise Damaged(f"{path} is of another group")
    state, places = sealed.read_arrays(path, content), [stored.keys.index(key) for key in keys]
    records, seconds = [stored.records[place] for place in places], stored.seconds * len(keys) / len(stored.keys)
    return Checkpoint(state if keys == stored.keys else select(state, places), records, seconds)


def _read(path: Path) -> tuple[StoredCheckpoint, dict[str, Any]]:
    content = sealed.read(path)
    stored = StoredCheckpoint.model_validate(content)
    if len(stored.records) != len(stored.keys):
        raise Damaged(f"{path} does not have the records of all its trials")
    return stored, content


def _remove(path: Path) -> None:
    with suppress(OSError):
        sealed.delete(path)
