"""Brings the trials of several folders of results together in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bnrenorm import disk
from bnrenorm.errors import InputError
from bnrenorm.runs import inventory
from bnrenorm.runs.sealed import Spoilt
from bnrenorm.runs.store import Store


@dataclass(frozen=True)
class Merged:
    """How many trials were `added` and how many `present` already, and the files that are `damaged`.

    `runs` has the run folders that were found: how many of their trials are there now, of how many.
    """

    added: int
    present: int
    damaged: list[Path]
    runs: list[tuple[Path, int, int]]


def merge(sources: Sequence[Store], target: Store) -> Merged:
    """Copy the trials of the sources that the target lacks, or whose files are spoilt there.

    A source without trials is that of a shard that had none, where there are more shards than trials. Raises InputError
    for a folder that no command has made, before anything is written; OSError if a disk fails.
    """
    keys_of = {source: source.finished() for source in sources}
    for source in sources:
        if not disk.is_folder(source.trials):
            wrong = "has no trials" if disk.is_folder(source.root) else "no such folder"
            raise InputError(f"{source.root}: {wrong}, expected a folder of results, the --out of a comparison")
    target.prepare()
    added, present, damaged = 0, 0, []
    for source, keys in keys_of.items():
        for key in keys:
            if _is_whole(target, key):
                present += 1
                continue
            try:
                target.copy(key, source)
                added += 1
            except Spoilt:
                damaged.append(source.path(key))
    runs = [run for source in sources for run in inventory.runs(source) if run.keys is not None]
    return Merged(
        added,
        present,
        damaged,
        [(run.folder, sum(map(target.has, run.keys or ())), len(run.keys or ())) for run in runs],
    )


def _is_whole(store: Store, key: str) -> bool:
    try:
        return store.has(key) and bool(store.read(key))
    except Spoilt:
        return False
