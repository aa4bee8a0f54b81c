"""The rows of a job on a GPU, one per contender, with the roofline; and the verdicts of its gates."""

import datetime
import statistics

from benchmarks.cuda import counts
from benchmarks.cuda.contenders import CONTENDERS, OURS, PRODUCTS, arrangement
from benchmarks.cuda.counts import Rates
from benchmarks.cuda.measure import Measurement
from benchmarks.jobs import Gate, Job
from benchmarks.results import Row, Verdict, verdict

MEASURED = (
    "date", "job", "replicas", "contender", "arrangement", "unit", "samples", "median", "min", "max", "ratio", "floor",
    "copy_rate", "product_rate", "pixel_rate",
)  # fmt: skip
"""Columns before those of the machine.

`ratio` is the median divided by bnrenorm's median, `floor` that of the roofline in the unit; the rates are those of
`counts.Rates`, in bytes and FLOP a second.
"""


def rows(job: Job, measurements: list[Measurement], rates: Rates, machine: dict[str, str]) -> list[Row]:
    """Return the rows of a job in the order of the tables; times are in the job's unit, to six digits."""
    medians = {measurement.contender: statistics.median(measurement.samples) for measurement in measurements}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    floor = job.scale * counts.floor(job, rates)
    order = list(CONTENDERS.values())

    def row(measurement: Measurement) -> Row:
        contender, samples = measurement.contender, measurement.samples
        median = medians[contender]
        numbers = (
            median,
            min(samples),
            max(samples),
            median / medians[OURS],
            floor,
            rates.copy,
            rates.product,
            rates.pixels,
        )
        values = [today, job.name, str(len(job.replicas)), contender.name, arrangement(contender, job), job.unit]
        values += [str(len(samples)), *(f"{number:.6g}" for number in numbers)]
        return dict(zip(MEASURED, values, strict=True)) | machine

    return [row(measurement) for measurement in sorted(measurements, key=lambda m: order.index(m.contender))]


def rates_of(row: Row) -> Rates:
    """Return the rates that a row was measured with."""
    return Rates(float(row["copy_rate"]), float(row["product_rate"]), float(row["pixel_rate"]))


def verdicts(job: Job, rows: list[Row]) -> list[Verdict]:
    """Return the verdict of each gate of a job."""
    own = [row for row in rows if row["job"] == job.name]
    return [_copy_rate(job, gate, own) if gate.against == "copy rate" else _rival(gate, own) for gate in job.gates]


def _rival(gate: Gate, rows: list[Row]) -> Verdict:
    return verdict(gate, rows, CONTENDERS)


def _copy_rate(job: Job, gate: Gate, rows: list[Row]) -> Verdict:
    ours = next((row for row in rows if row["contender"] == OURS.name), None)
    if ours is None:
        return Verdict(gate, None, "")
    moved = counts.unit(job).bytes / (float(ours["median"]) / job.scale)
    copy = rates_of(ours).copy
    return Verdict(gate, moved / copy, f"{moved / 1e12:.2f} of {copy / 1e12:.2f} TB/s")


def roofline(job: Job, rows: list[Row]) -> list[str]:
    """Say in sentences what the floor of a job is, what share of it bnrenorm reaches, and how fast its products are."""
    own = {row["contender"]: row for row in rows if row["job"] == job.name}
    ours = own[OURS.name]
    rates, work, symbol = rates_of(ours), counts.unit(job), job.unit.split()[0]
    by_bytes, by_products = job.scale * work.bytes / rates.copy, job.scale * work.by_products(rates)
    products = f"{_scaled(work.flop, 'FLOP')} at {_scaled(rates.product, 'FLOP/s')}"
    if rates.pixels > rates.product:
        products += f", {work.pixels / work.flop:.0%} of them at {_scaled(rates.pixels, 'FLOP/s')} by tensor cores,"
    sentences = [
        f"floor: {float(ours['floor']):.3g} {symbol}, of which bnrenorm reaches "
        f"{float(ours['floor']) / float(ours['median']):.0%}: {_scaled(work.bytes, 'B')} at "
        f"{_scaled(rates.copy, 'B/s')} are {by_bytes:.3g} {symbol}, {products} are {by_products:.3g} {symbol}"
    ]
    if PRODUCTS.name in own:
        rate = work.flop * job.scale / float(own[PRODUCTS.name]["median"])
        sentences.append(f"cuBLAS computes the job's own products in float32 at {_scaled(rate, 'FLOP/s')}")
    return sentences


def _scaled(number: float, unit: str) -> str:
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{number / 10**power:.3g} {prefix}{unit}"
    return f"{number:.3g} {unit}"
