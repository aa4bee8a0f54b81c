"""Runs that differ in their seeds alone: they can be joined, and one may have been judged before the other."""

import json
from pathlib import Path

from bnrenorm import disk
from bnrenorm.config import CONFIG_FILE, document, limits, seeds
from bnrenorm.runs import finished, run_folder


def settings(folder: Path) -> tuple[str, tuple[int, ...]] | None:
    """Return what trained a run, whatever its seeds and margin are, as a text, and its seeds.

    None if its config is not as it was written.
    """
    path = folder / CONFIG_FILE
    try:
        config = document.parse(disk.read_regular(path, limits.BYTES).decode("utf-8"), str(path))
        others = {key: value for key, value in config.data.items() if key not in ("seeds", "margin")}
        return json.dumps(others, sort_keys=True), seeds.read(config)
    except (OSError, ValueError):
        return None


def looks(folder: Path, images: str) -> list[str]:
    """Return a remark if a verdict on some of the seeds of this run stands in the same folder of results.

    images: their checksum.
    """
    own, seen = settings(folder), set()
    for other in run_folder.others(folder):
        before = settings(other) if own and run_folder.is_compared(other) else None
        if own and before and before[0] == own[0] and set(before[1]) < set(own[1]):
            origin = finished.origin(other)
            seen |= set(before[1]) if origin and origin[1] == images else set()
    if not own or not seen:
        return []
    looked = f"{len(seen)} of these {len(own[1])} seeds had a verdict before"
    return [f"{looked}: if that decided that there are more now, p < .05 errs more often than in 5 %"]
