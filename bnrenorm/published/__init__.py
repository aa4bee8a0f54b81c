"""Numbers that others published, to stand beside the measured ones: one CSV a source, with its origin on top."""

import csv
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
_VALUES = "compare: values"


@dataclass(frozen=True)
class Published:
    """A published table. `source` says where it stands; rows map column names to texts as they were printed.

    `values` tells whether network and images are ours, so that values compare; else only differences do.
    """

    source: str
    rows: list[dict[str, str]]
    values: bool


def names() -> list[str]:
    """List the tables that come with bnrenorm."""
    return sorted(path.relative_to(_FOLDER).with_suffix("").as_posix() for path in _FOLDER.rglob("*.csv"))


def read(name: str) -> Published:
    """Return a table by its name. Raises KeyError if there is none."""
    if name not in names():
        raise KeyError(name)
    lines = (_FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    notes = [line.lstrip("# ") for line in lines if line.startswith("#")]
    source = "; ".join(note for note in notes if note != _VALUES)
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return Published(source, rows, _VALUES in notes)
