"""The table of results: one row an entry of a job. Everything that is shown is had from these rows."""

import csv
import datetime
import io
import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.jobs import Gate, Job
from benchmarks.measure import Measurement
from bnrenorm import atomic

Row = dict[str, str]

MEASURED = (
    "date", "job", "contender", "arrangement", "processes", "threads", "unit", "samples", "median", "min", "max",
    "ratio",
)  # fmt: skip
"""The columns before those of the machine; `ratio` is the median over bnrenorm's."""


def rows(job: Job, measurements: list[Measurement], machine: dict[str, str]) -> list[Row]:
    """Make the rows of a job, all numbers in the job's unit and to six digits."""
    medians = {each.entry: statistics.median(each.samples) for each in measurements}
    ours = next(median for entry, median in medians.items() if entry.contender is OURS)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()

    def row(each: Measurement) -> Row:
        entry, median = each.entry, medians[each.entry]
        counts = [str(number) for number in (entry.processes, entry.threads)]
        seconds = [f"{value:.6g}" for value in (median, min(each.samples), max(each.samples), median / ours)]
        values = [today, job.name, entry.contender.name, entry.arrangement, *counts, job.unit, str(len(each.samples))]
        return dict(zip(MEASURED, values + seconds, strict=True)) | machine

    return [row(each) for each in measurements]


def read(path: Path) -> list[Row]:
    """Read the rows of a file; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, found: list[Row]) -> None:
    """Replace a file by these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.getvalue())


def merge(old: list[Row], new: list[Row], order: list[str]) -> list[Row]:
    """Put new rows in the place of all old ones of the same jobs; jobs in the given order."""
    jobs = {row["job"] for row in new}
    kept = [row for row in old if row["job"] not in jobs and row["job"] in order]
    return sorted(kept + new, key=lambda row: order.index(row["job"]))  # stable: entries stay as they are


@dataclass(frozen=True)
class Verdict:
    """A gate, the factor that was reached (None if there was nobody to compare with), and against whom."""

    gate: Gate
    reached: float | None
    rival: str

    def __str__(self) -> str:
        if self.reached is None:
            return f"{self.gate.wording}: not measured"
        met = self.reached <= self.gate.factor if self.gate.against == "floor" else self.reached >= self.gate.factor
        return f"{self.gate.wording}: {self.reached:.2f} ({self.rival}), {'met' if met else 'missed'}"


def verdicts(job: Job, found: list[Row]) -> list[Verdict]:
    """Compare a job's rows with its gates: the fastest rival counts."""
    return [_verdict(gate, [row for row in found if row["job"] == job.name]) for gate in job.gates]


def _verdict(gate: Gate, found: list[Row]) -> Verdict:
    rivals = [row for row in found if gate.against in (row["contender"], CONTENDERS[row["contender"]].family)]
    if not rivals:
        return Verdict(gate, None, "")
    best = min(rivals, key=lambda row: float(row["median"]))
    ratio = float(best["ratio"])
    return Verdict(gate, 1 / ratio if gate.against == "floor" else ratio, f"{best['contender']}, {best['arrangement']}")
