"""Finding the files of a data set: four in a folder, or a table and its test table."""

import re
from contextlib import suppress
from pathlib import Path

from bnrenorm import disk
from bnrenorm.data.names import ARRAYS, Name, parse
from bnrenorm.errors import InputError

EXPECTED = "expected four files such as train-images-idx3-ubyte.gz or x_train.npy, an .npz or a .csv file"
_DEPTH = 3  # MNIST/raw/file
_MOST_FOLDERS = 200
SHOWN = 6  # names in a message
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_ONE_FILE = re.compile(r".+\.(npz|csv|csv\.gz)", re.IGNORECASE)
_SPLITS = {"train": "test", "Train": "Test", "TRAIN": "TEST"}
_OTHER_SPLIT = _SPLITS | {test: train for train, test in _SPLITS.items()}

Files = dict[str, Path]
"""Maps names of ARRAYS to files."""


def find(folder: Path) -> Files:
    """Return the four files of the one data set in a folder, or in the nearest of the folders inside it.

    A file may be in a folder of its own name, as in Kaggle's archives; an unpacked file is preferred to its .gz. Raises
    InputError if there is no data set, a file of it is missing, or there are several.
    """
    level, partial = [folder], []
    for _ in range(_DEPTH):
        sets = [files for inner in level for files in _sets(inner).values()]
        complete = [files for files in sets if len(files) == len(ARRAYS)]
        if len(complete) > 1:
            several = " and ".join(str(files["x_train"].relative_to(folder)) for files in complete[:SHOWN])
            raise InputError(f"{folder}: has several data sets; set data.path to a file of one of them: {several}")
        if complete:
            return complete[0]
        partial += sets
        level = [inner for outer in level for inner in _entries(outer) if _is_folder(inner)][:_MOST_FOLDERS]
    raise _incomplete(folder, max(partial, key=len, default={}))


def data_set_of(path: Path, name: Name) -> Files:
    """Return the four files of the data set that a file belongs to. Raises InputError if one is missing."""
    folder = path.parent.parent if path in _own(path.parent) else path.parent
    files = _sets(folder)[name.prefix, name.suffix]
    if len(files) < len(ARRAYS):
        raise _incomplete(folder, files)
    return {**files, name.array: path}


def tables(path: Path) -> tuple[Path, Path | None]:
    """Return the training and the test table of which `path` is one: mnist_train.csv and mnist_test.csv.

    Either may be gzipped. A table without such a file next to it is a training table.
    """
    for split in re.finditer("|".join(_OTHER_SPLIT), path.name):
        other = path.name[: split.start()] + _OTHER_SPLIT[split[0]] + path.name[split.end() :]
        for name in (other, f"{other}.gz", other.removesuffix(".gz")):
            if disk.is_file(file := path.with_name(name)):
                return (path, file) if split[0] in _SPLITS else (file, path)
    return path, None


def _incomplete(folder: Path, files: Files) -> InputError:
    if not files:
        entries = _entries(folder)
        if readable := {
            str(tables(path)[0]) for path in entries if _ONE_FILE.fullmatch(path.name) and disk.is_file(path)
        }:
            chosen = sorted(readable)[:SHOWN]
            return InputError(f"{folder}: is a folder without four files; use data.path={' or '.join(chosen)}")
        names = [path.name for path in entries]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        has_pictures = any(_is_folder(inner) and _has_pictures(inner) for inner in entries)
        script = "; docs/data.md has a script that makes an .npz file of pictures in folders" if has_pictures else ""
        return InputError(f"{folder}: has {', '.join(names[:SHOWN]) or 'nothing'}{more}; {EXPECTED}{script}")
    there = ", ".join(str(files[array].relative_to(folder)) for array in ARRAYS if array in files)
    lacking = ", ".join(array for array in ARRAYS if array not in files)
    return InputError(f"{folder}: has {there}, but no file for {lacking}; {EXPECTED}")


def _has_pictures(folder: Path) -> bool:
    """Tell whether there is a picture in a folder, or in one of those inside it."""
    entries = _entries(folder)[:_MOST_FOLDERS]
    inner = [path for other in entries if _is_folder(other) for path in _entries(other)[:SHOWN]]
    return any(path.suffix.lower() in _PICTURES for path in (*entries, *inner))


def _sets(folder: Path) -> dict[tuple[str, str], Files]:
    """Group the known files of a folder into data sets, by what their names share."""
    sets: dict[tuple[str, str], Files] = {}
    candidates = [path for entry in _entries(folder) for path in (_own(entry) if _is_folder(entry) else [entry])]
    for path in sorted(candidates, key=lambda path: (len(path.parts), path.suffix == ".gz", path.name)):
        if name := parse(path.name):
            files = sets.setdefault((name.prefix, name.suffix), {})
            other = files.setdefault(name.array, path)
            if len(other.parts) == len(path.parts) and _stem(other) != _stem(path):
                raise InputError(f"{folder}: has {other.name} and {path.name}, expected one file for {name.array}")
    return sets


def _own(folder: Path) -> list[Path]:
    """Return the file in a folder of its own name: train-images-idx3-ubyte/train-images-idx3-ubyte."""
    return [path for path in _entries(folder) if _stem(path) == _stem(folder)] if parse(folder.name) else []


def _stem(path: Path) -> str:
    """The name without .gz, and with a dash for the dot that some programs put in place of it."""
    return path.name.removesuffix(".gz").replace(".", "-")


def _is_folder(path: Path) -> bool:
    """Tell whether there is a folder whose names can be read: what lies in the one that was named may be anybody's."""
    with suppress(PermissionError):
        return disk.is_folder(path) and disk.everything_in(path) is not None
    return False


def _entries(folder: Path) -> list[Path]:
    try:
        return disk.everything_in(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
