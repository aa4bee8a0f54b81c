"""Tables of results on a GPU: on the terminal, as Markdown, and between the markers in README.md."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks import machine, report
from benchmarks.cuda.jobs import JOBS
from benchmarks.cuda.results import roofline, verdicts
from benchmarks.jobs import Job
from benchmarks.results import Row
from bnrenorm import atomic

_HEADER = ["contender", "what trains", "median", "min", "max", "times bnrenorm's"]
_VERSIONS = {"driver": "driver", "CUDA": "cuda", "cupy": "cupy"}
_MARKERS = "<!-- cuda results -->", "<!-- /cuda results -->"


def _cells(row: Row) -> list[str]:
    times = [_digits(float(row[name])) for name in ("median", "min", "max")]
    return [row["contender"], row["arrangement"], *times, f"{float(row['ratio']):.2f}"]


def _digits(number: float) -> str:
    """Return a number with three digits, a large one as a whole number."""
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def table(job: Job, rows: list[Row]) -> Table:
    """Return a job's table for the terminal."""
    rich_table = Table(box=SIMPLE_HEAD, title=f"In {job.unit}:", title_justify="left")
    for index, name in enumerate(_HEADER):
        rich_table.add_column(name, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows:
        rich_table.add_row(*_cells(row))
    return rich_table


def lines(job: Job, rows: list[Row]) -> list[str]:
    """Return what stands below a job's table: the roofline, and the verdict of each gate."""
    return [*roofline(job, rows), *map(str, verdicts(job, rows))]


def markdown(rows: list[Row]) -> str:
    """Return all jobs' tables, rooflines, gates and machines as Markdown."""
    return "\n".join(_section(job, [row for row in rows if row["job"] == job.name]) for job in JOBS.values())


def _section(job: Job, rows: list[Row]) -> str:
    if not rows:
        return f"### {job.title}\n\nNot measured yet.\n"
    heading = [_HEADER, ["---", "---", *["---:"] * (len(_HEADER) - 2)]]
    table = "\n".join("| " + " | ".join(line) + " |" for line in [*heading, *map(_cells, rows)])
    below = "\n".join(f"- {line}" for line in lines(job, rows))
    provenance = f"{rows[0]['samples']} samples, {rows[0]['date']}: {sentence(rows[0])}."
    return f"### {job.title}\n\nIn {job.unit}:\n\n{table}\n\n{below}\n\n{provenance}\n"


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
