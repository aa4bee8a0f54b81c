"""The names that files and arrays have in the data sets that people use, and what they hold."""

import re
from dataclasses import dataclass

ARRAYS: tuple[str, ...] = ("x_train", "y_train", "x_test", "y_test")

_SPLITS = {"train": "train", "test": "test", "t10k": "test"}
_ROLES = {"x": "x", "images": "x", "imgs": "x", "y": "y", "labels": "y"}
_SPLIT, _ROLE = "|".join(_SPLITS), "|".join(_ROLES)
_FORMS = [  # train-images-idx3-ubyte.gz, emnist-letters-test-labels.idx1-ubyte, kmnist-train-imgs.npz; x_train.npy
    re.compile(rf"(?P<prefix>.+[-_. ])?{words}(?:[-.]idx\d-[a-z]+)?(?P<suffix>\.np[yz])?(?:\.gz)?", re.IGNORECASE)
    for words in (f"(?P<split>{_SPLIT})[-_](?P<role>{_ROLE})", f"(?P<role>{_ROLE})[-_](?P<split>{_SPLIT})")
]


@dataclass(frozen=True)
class Name:
    """A known name: the array that it stands for (of ARRAYS), and what the four names of one data set share."""

    array: str
    prefix: str
    suffix: str


def parse(name: str) -> Name | None:
    """Return what the name of a file or of an array in an archive stands for; None if it is not a known one."""
    for form in _FORMS:
        if match := form.fullmatch(name):
            array = f"{_ROLES[match['role'].lower()]}_{_SPLITS[match['split'].lower()]}"
            return Name(array, match["prefix"] or "", (match["suffix"] or "").lower())
    return None


def choose(keys: list[str]) -> dict[str, str]:
    """Map the arrays that names in an archive stand for to these names; of two for one array, the first."""
    chosen: dict[str, str] = {}
    for key in keys:
        if (name := parse(key)) and not name.prefix:
            chosen.setdefault(name.array, key)
    return chosen
