"""Tables of results, on the terminal and between the markers in README.md."""

from collections.abc import Callable
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks import machine
from benchmarks.jobs import JOBS, Job
from benchmarks.results import Row, verdicts
from bnrenorm import atomic

_START, _END = "<!-- results -->", "<!-- /results -->"
_TEXTS = 2  # columns, before those of numbers


def _header(arrangement: str) -> list[str]:
    return ["contender", arrangement, "median", "min", "max", "times bnrenorm's"]


def _cells(row: Row) -> list[str]:
    times = [_digits(float(row[name])) for name in ("median", "min", "max")]
    return [row["contender"], row["arrangement"], *times, f"{float(row['ratio']):.2f}"]


def _digits(number: float) -> str:
    """Return a number with three digits, a large one as a whole number."""
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def table(job: Job, rows: list[Row], arrangement: str = "arrangement") -> Table:
    """Return a job's table for the terminal. arrangement: the heading of that column."""
    rich_table = Table(box=SIMPLE_HEAD, title=f"In {job.unit}:", title_justify="left")
    for index, name in enumerate(_header(arrangement)):
        rich_table.add_column(name, justify="left" if index < _TEXTS else "right", no_wrap=True)
    for row in rows:
        rich_table.add_row(*_cells(row))
    return rich_table


def markdown(rows: list[Row]) -> str:
    """Return all jobs' tables, gates and machines as Markdown."""
    by_job = [(job, [row for row in rows if row["job"] == job.name]) for job in JOBS.values()]
    return "\n".join(section(job, own, list(map(str, verdicts(job, own))), machine.sentence) for job, own in by_job)


def section(
    job: Job, rows: list[Row], below: list[str], sentence: Callable[[Row], str], arrangement: str = "arrangement"
) -> str:
    """Return a job's table, the lines below it, and the machine in a sentence, as Markdown."""
    if not rows:
        return f"### {job.title}\n\nNot measured yet.\n"
    header = _header(arrangement)
    lines = [header, ["---"] * _TEXTS + ["---:"] * (len(header) - _TEXTS), *map(_cells, rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    bullets = "\n".join(f"- {line}" for line in below)
    provenance = f"{rows[0]['samples']} samples, {rows[0]['date']}: {sentence(rows[0])}."
    return f"### {job.title}\n\nIn {job.unit}:\n\n{table}\n\n{bullets}\n\n{provenance}\n"


def fill(readme: Path, rows: list[Row]) -> None:
    """Write the results between the markers in README.md."""
    replace(readme, _START, _END, markdown(rows))


def replace(page: Path, start: str, end: str, body: str) -> None:
    """Replace what stands between two markers of a page. Raises ValueError unless there is exactly one of each."""
    text = page.read_text(encoding="utf-8")
    if text.count(start) != 1 or text.count(end) != 1:
        raise ValueError(f"{page.name}: expected {start} and {end}, once each")
    before, rest = text.split(start)
    after = rest.split(end)[1]
    atomic.write(page, f"{before}{start}\n{body}{end}{after}")
