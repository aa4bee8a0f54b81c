"""Published tables to compare measured results with: one CSV per source, which its first comment lines name."""

import csv
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
_VALUES = "compare: values"


@dataclass(frozen=True)
class Published:
    """A published table. `source` cites it; `rows` map column names to the values as printed, "" where there is none.

    `values` tells whether network and images are the same as ours, so that the values themselves compare; otherwise
    only differences between variants do.
    """

    source: str
    rows: list[dict[str, str]]
    values: bool


def names() -> list[str]:
    """Return the names of the tables that come with bnrenorm, such as "brn17" and "article2/dropout"."""
    return sorted(path.relative_to(_FOLDER).with_suffix("").as_posix() for path in _FOLDER.rglob("*.csv"))


def read(name: str) -> Published:
    """Return the table of that name. Raises KeyError if there is none."""
    if name not in names():
        raise KeyError(name)
    lines = (_FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    source = "; ".join(comment for comment in comments if comment != _VALUES)
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return Published(source, rows, _VALUES in comments)
