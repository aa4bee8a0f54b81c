"""Tables of results on a GPU: on the terminal, as Markdown, and between the markers in README.md."""

from pathlib import Path

from rich.table import Table

from benchmarks import machine, report
from benchmarks.cuda.jobs import JOBS
from benchmarks.cuda.results import roofline, verdicts
from benchmarks.jobs import Job
from benchmarks.results import Row
from bnrenorm import atomic

_ARRANGEMENT = "what trains"
_VERSIONS = {"driver": "driver", "CUDA": "cuda", "cupy": "cupy"}
_MARKERS = "<!-- cuda results -->", "<!-- /cuda results -->"


def table(job: Job, rows: list[Row]) -> Table:
    """Return a job's table for the terminal."""
    return report.table(job, rows, _ARRANGEMENT)


def lines(job: Job, rows: list[Row]) -> list[str]:
    """Return what stands below a job's table: the roofline, and the verdict of each gate; nothing without rows."""
    return [*roofline(job, rows), *map(str, verdicts(job, rows))] if rows else []


def markdown(rows: list[Row]) -> str:
    """Return all jobs' tables, rooflines, gates and machines as Markdown."""
    by_job = [(job, [row for row in rows if row["job"] == job.name]) for job in JOBS.values()]
    return "\n".join(report.section(job, own, lines(job, own), sentence, _ARRANGEMENT) for job, own in by_job)


def sentence(row: Row) -> str:
    """Return a description of the card, its software and its machine."""
    versions = [f"{name} {row[column]}" for name, column in _VERSIONS.items() if row[column]]
    return f"{', '.join([row['card'], row['card_gib'] + ' GiB', *versions])}; {machine.sentence(row)}"


def write(path: Path, rows: list[Row]) -> None:
    """Write the Markdown of all results to a file of its own."""
    atomic.write(path, f"# bnrenorm and PyTorch on a GPU\n\n{markdown(rows)}")


def fill(readme: Path, rows: list[Row]) -> None:
    """Write the results between the markers in README.md."""
    report.replace(readme, *_MARKERS, markdown(rows))
