"""Brings the trials of several folders of results together in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bnrenorm import disk
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.runs import alike, finished, inventory
from bnrenorm.runs.sealed import Damaged
from bnrenorm.runs.store import Store


@dataclass(frozen=True)
class Joined:
    """Runs that differ in nothing but their seeds, and how many of their trials are `there` now.

    `others` counts those that are there, but of another version of bnrenorm, which this one would train again.
    `seeds` are those of all together, None of a run that was there alone; `backend` is what trained them, None of a
    run that has not ended.
    """

    folders: list[Path]
    seeds: list[int] | None
    backend: Backend | None
    there: int
    others: int
    trials: int


@dataclass(frozen=True)
class Merged:
    """How many trials were `added` and how many `present` already, and the files that are `damaged`.

    `runs` are those of the sources.
    """

    added: int
    present: int
    damaged: list[Path]
    runs: list[Joined]


def merge(sources: Sequence[Store], target: Store) -> Merged:
    """Copy the trials of the sources that the target lacks, or whose files are damaged there.

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
            except Damaged:
                damaged.append(source.path(key))
    return Merged(
        added, present, damaged, _joined([run for source in sources for run in inventory.runs(source)], target)
    )


def _joined(runs: list[inventory.Run], target: Store) -> list[Joined]:
    """Return the runs that list their trials, those together that differ in their seeds alone, each once."""
    groups: dict[tuple[str, Backend | None], list[tuple[inventory.Run, tuple[int, ...]]]] = {}
    for run in {run.folder.resolve(): run for run in runs}.values():
        if run.keys is not None:
            settings, backend, seeds = _without_seeds(run.folder)
            groups.setdefault((settings, backend), []).append((run, seeds))
    joined = []
    for (_, backend), same in groups.items():
        keys = frozenset().union(*(run.keys or () for run, _ in same))
        seeds = sorted({seed for _, seeds in same for seed in seeds}) if len(same) > 1 else None
        now = {key: target.current_key(key) for key in keys if target.has(key)}
        there = {key for key, current in now.items() if key == current}
        others = {key for key, current in now.items() if current not in (key, None)}
        replaced = {key for key in others if now[key] in keys}  # trained again by this version, or to be
        folders, of = [run.folder for run, _ in same], len(keys - replaced)
        joined.append(Joined(folders, seeds, backend, len(there), len(others - replaced), of))
    return joined


def _without_seeds(folder: Path) -> tuple[str, Backend | None, tuple[int, ...]]:
    """Return images and settings as a text, what trained them on which kind of device, and the seeds.

    Of a run that has not ended, whose backend is not known, or that is not as it was written, its folder and no seeds.
    """
    settings, origin = alike.settings(folder), finished.origin(folder)
    if settings is None or origin is None:
        return str(folder), None, ()
    backend, images = origin
    first = Backend(backend.engine, backend.kind)  # a run on the second GPU is as one on the first
    return f"{images} {settings[0]}", first, settings[1]


def _is_whole(store: Store, key: str) -> bool:
    try:
        return store.has(key) and bool(store.read(key))
    except Damaged:
        return False
