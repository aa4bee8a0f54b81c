"""Numbers that others published, to stand beside the measured ones: one CSV a source, with its origin on top."""

import csv
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Published:
    """A published table. `source` says where it stands; rows map column names to texts as they were printed."""

    source: str
    rows: list[dict[str, str]]


def names() -> list[str]:
    """List the tables that come with bnrenorm."""
    return sorted(path.stem for path in _FOLDER.glob("*.csv"))


def read(name: str) -> Published:
    """Return a table by its name. Raises KeyError if there is none."""
    if name not in names():
        raise KeyError(name)
    lines = (_FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    source = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    return Published(source, list(csv.DictReader(line for line in lines if not line.startswith("#"))))
