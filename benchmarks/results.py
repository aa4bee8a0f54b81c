"""The table of results, one row per entry of a job. All reports are made from these rows."""

import csv
import datetime
import io
import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import CONTENDERS, OURS, Contender
from benchmarks.jobs import Gate, Job
from benchmarks.measure import Measurement
from bnrenorm import atomic

Row = dict[str, str]

MEASURED = (
    "date", "job", "contender", "arrangement", "processes", "threads", "unit", "samples", "median", "min", "max",
    "ratio",
)  # fmt: skip
"""Columns before those of the machine; `ratio` is the median divided by bnrenorm's median."""


def rows(job: Job, measurements: list[Measurement], machine: dict[str, str]) -> list[Row]:
    """Return the rows of a job; times are in the job's unit, to six digits."""
    medians = {measurement.entry: statistics.median(measurement.samples) for measurement in measurements}
    ours = next(median for entry, median in medians.items() if entry.contender is OURS)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()

    def row(measurement: Measurement) -> Row:
        entry, samples, median = measurement.entry, measurement.samples, medians[measurement.entry]
        counts = [str(number) for number in (entry.processes, entry.threads)]
        seconds = [f"{value:.6g}" for value in (median, min(samples), max(samples), median / ours)]
        values = [today, job.name, entry.contender.name, entry.arrangement, *counts, job.unit, str(len(samples))]
        return dict(zip(MEASURED, values + seconds, strict=True)) | machine

    return [row(measurement) for measurement in measurements]


def read(path: Path) -> list[Row]:
    """Return the rows of a file, none if it does not exist."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[Row]) -> None:
    """Write the rows to a file, replacing it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.getvalue())


def merge(old: list[Row], new: list[Row], order: list[str]) -> list[Row]:
    """Replace the old rows of the jobs in `new`; returns all rows, sorted by `order` of the jobs."""
    jobs = {row["job"] for row in new}
    kept = [row for row in old if row["job"] not in jobs and row["job"] in order]
    return sorted(kept + new, key=lambda row: order.index(row["job"]))  # stable: keeps the order of entries


@dataclass(frozen=True)
class Verdict:
    """A gate, the factor that was reached (None if there is no rival), and the rival."""

    gate: Gate
    reached: float | None
    rival: str

    def __str__(self) -> str:
        if self.reached is None:
            return f"{self.gate.wording}: not measured"
        met = self.reached <= self.gate.factor if self.gate.against == "floor" else self.reached >= self.gate.factor
        return f"{self.gate.wording}: {self.reached:.2f} ({self.rival}), {'met' if met else 'missed'}"


def verdicts(job: Job, rows: list[Row]) -> list[Verdict]:
    """Return the verdict of each gate of a job; the fastest rival counts."""
    return [verdict(gate, [row for row in rows if row["job"] == job.name], CONTENDERS) for gate in job.gates]


def verdict(gate: Gate, rows: list[Row], contenders: dict[str, Contender]) -> Verdict:
    """Return the verdict of a gate against the fastest rival among a job's rows."""
    rivals = [row for row in rows if gate.against in (row["contender"], contenders[row["contender"]].family)]
    if not rivals:
        return Verdict(gate, None, "")
    best = min(rivals, key=lambda row: float(row["median"]))
    ratio = float(best["ratio"])
    return Verdict(gate, 1 / ratio if gate.against == "floor" else ratio, f"{best['contender']}, {best['arrangement']}")
