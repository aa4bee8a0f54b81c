"""`bnrenorm report`: the report of finished runs, from what their folders hold."""

import difflib
import os
import webbrowser
from pathlib import Path

from bnrenorm import api
from bnrenorm.analysis.report import write
from bnrenorm.config import CONFIG_FILE
from bnrenorm.errors import InputError
from bnrenorm.runs import finished


def make(folders: list[Path], save: Path | None, *, open_it: bool) -> Path:
    """Write the report of one run folder, or of two side by side, and return its path.

    save: where to; None: report.html in the folder, or for two runs a file next to the first. Raises InputError for a
    folder that is no run or is damaged, and if the file cannot be written.
    """
    if len(folders) > 2:
        raise InputError(f"{len(folders)} runs: expected one, or two to be shown side by side")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError(f"{folders[0]}: the same run twice, expected two runs")
    runs = [api.results_of(finished.read(folder)) for folder in folders]
    both = "-and-".join(folder.resolve().name for folder in folders)
    path = save or (folders[0] / write.FILE if len(folders) == 1 else folders[0].parent / f"{both}.html")
    try:
        write.save(path, runs)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:  # results of a form that no run writes
        names = ", ".join(map(str, folders))
        raise InputError(f"{names}: cannot be shown: {type(error).__name__}: {error}") from error
    if open_it:
        webbrowser.open(path.resolve().as_uri())
    return path


def locate(run: Path, out: Path) -> Path:
    """Return a run's folder, which is given as such or by its name in `out`, whose hash may be left out.

    Raises InputError if there is no such folder, or several, with the runs of the most similar names.
    """
    if os.path.exists(run):
        return run
    names = sorted(path.parent.name for path in out.glob(f"*/{CONFIG_FILE}"))
    named = [name for name in names if str(run) in (name, name.rpartition("-")[0])]
    if len(named) == 1:
        return out / named[0]
    near = named or difflib.get_close_matches(run.name, names, n=1, cutoff=0.6)
    hint = f"; did you mean {' or '.join(str(out / name) for name in near)}?" if near else ""
    raise InputError(f"{run}: no such folder{hint}")
