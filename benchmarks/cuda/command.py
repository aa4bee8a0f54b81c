"""What `python -m benchmarks --device cuda` does: measure, print and save; or check."""

import time
from pathlib import Path

from rich.console import Console

from benchmarks import machine, results
from benchmarks.cuda import check as checks
from benchmarks.cuda import jobs, rates, report
from benchmarks.cuda.counts import Rates
from benchmarks.cuda.device import Device
from benchmarks.cuda.measure import measure, reason
from benchmarks.cuda.results import rows
from benchmarks.jobs import Job

HERE = Path(__file__).parents[1]

_MANY = 100  # replicas


def check(chosen: list[Job], device: Device, folder: Path | None, console: Console) -> bool:
    """Check the contenders of the jobs; returns whether all agree. folder: of the references."""
    fine = True
    for job in chosen:
        console.print(f"{job.name}: {job.title}")
        for name, text, right in checks.check(job, device, folder):
            console.print(f"  {'ok   ' if right else 'WRONG'} {name}: {text}")
            fine = fine and right
    return fine


def prepare_references(chosen: list[Job], folder: Path, console: Console) -> None:
    """Compute what `check` compares with, and keep it in the folder: on any machine, before there is a GPU."""
    for job in chosen:
        checks.reference(checks.checked(job), folder)
        console.print(f"{job.name}: its reference is in {folder}")


def run(chosen: list[Job], device: Device, samples: int, seconds: float, out: Path | None, console: Console) -> bool:
    """Measure the jobs in about that many seconds, saving after each; returns whether bnrenorm ran in all of them.

    out: folder of cuda.csv and cuda.md; None saves nothing.
    """
    begin = time.perf_counter()
    measured = rates.measure(device)
    console.print(
        f"copies {measured.copy / 1e12:.2f} TB/s (read plus written), float32 products "
        f"{measured.product / 1e12:.1f} TFLOP/s, of pixels by tensor cores {measured.pixels / 1e12:.1f} TFLOP/s"
    )
    fine, weights = True, [_weight(job) for job in chosen]
    for index, job in enumerate(chosen):
        left = max(0.0, seconds - (time.perf_counter() - begin))
        console.print(f"{job.name}: {job.title}")
        try:
            share = left * weights[index] / sum(weights[index:])
            _measure(job, device, samples, share, measured, out, console)
        except Exception as error:  # of bnrenorm itself: the other jobs can go on
            console.print(f"{job.name}: bnrenorm has failed: {reason(error)}")
            fine = False
        device.free()
    return fine


def _weight(job: Job) -> int:
    """Return a job's part of the time: arrays of many replicas take long to draw, and PyTorch to compile for gates."""
    return 3 if len(job.replicas) > _MANY else 2 if job.gates else 1


def _measure(
    job: Job, device: Device, samples: int, seconds: float, measured: Rates, out: Path | None, console: Console
) -> None:
    measurements = measure(job, device, samples, seconds, lambda text: console.print(f"{job.name}: {text}"))
    new = rows(job, measurements, measured, device.describe() | machine.describe())
    console.print(report.table(job, new))
    for line in report.lines(job, new):
        console.print(line)
    if out is None:
        return
    path = out / "cuda.csv"
    kept = results.merge(results.read(path), new, list(jobs.JOBS))
    results.write(path, kept)
    report.write(out / "cuda.md", kept)
    if out.resolve() == (HERE / "results").resolve():
        report.fill(HERE / "README.md", kept)
