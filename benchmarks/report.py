"""Tables of results, on the terminal and between the markers in README.md."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks import machine
from benchmarks.jobs import JOBS, Job
from benchmarks.results import Row, verdicts
from bnrenorm import atomic

_HEADER = ["contender", "arrangement", "median", "min", "max", "times bnrenorm's"]
_START, _END = "<!-- results -->", "<!-- /results -->"


def _cells(row: Row) -> list[str]:
    times = [f"{float(row[name]):.3g}" for name in ("median", "min", "max")]
    return [row["contender"], row["arrangement"], *times, f"{float(row['ratio']):.2f}"]


def table(job: Job, rows: list[Row]) -> Table:
    """Return a job's table for the terminal."""
    rich_table = Table(box=SIMPLE_HEAD, title=f"In {job.unit}:", title_justify="left")
    for index, name in enumerate(_HEADER):
        rich_table.add_column(name, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows:
        rich_table.add_row(*_cells(row))
    return rich_table


def markdown(rows: list[Row]) -> str:
    """Return all jobs' tables, gates and machines as Markdown."""
    return "\n".join(_section(job, [row for row in rows if row["job"] == job.name]) for job in JOBS.values())


def _section(job: Job, rows: list[Row]) -> str:
    if not rows:
        return f"### {job.title}\n\nNot measured yet.\n"
    lines = [_HEADER, ["---", "---", *["---:"] * (len(_HEADER) - 2)], *map(_cells, rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    gates = "\n".join(f"- {verdict}" for verdict in verdicts(job, rows))
    provenance = f"{rows[0]['samples']} samples, {rows[0]['date']}: {machine.sentence(rows[0])}."
    return f"### {job.title}\n\nIn {job.unit}:\n\n{table}\n\n{gates}\n\n{provenance}\n"


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
