"""Write the report into a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from bnrenorm import atomic
from bnrenorm.errors import one_line

if TYPE_CHECKING:
    from bnrenorm.analysis.results import ExperimentResults

FILE = "report.html"


def write(results: "ExperimentResults") -> list[str]:
    """Write report.html into the run folder; return a line if that failed, which costs nothing else."""
    path = results.folder / FILE
    try:
        save(path, [results])
    except Exception as error:  # as with figures, whatever is wrong with the libraries that draw
        return [f"{path}: not written: {one_line(error)}"]
    return []


def save(path: Path, runs: "list[ExperimentResults]") -> None:
    """Write the report of one run or of two. Raises OSError if the disk fails."""
    from bnrenorm.analysis.report import page  # not above: results need neither Bokeh nor Jinja2

    atomic.write(path, page.render(runs).encode(errors="backslashreplace"))  # a path may have undecodable bytes
