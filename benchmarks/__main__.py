"""The command: python -m benchmarks."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import data, machine, report, results, scaling
from benchmarks.check import check
from benchmarks.cuda import command
from benchmarks.cuda import jobs as cuda_jobs
from benchmarks.cuda.device import choose
from benchmarks.jobs import JOBS, QUICK, Job
from benchmarks.measure import measure
from benchmarks.processes import Absent
from bnrenorm.errors import InputError

_HERE = Path(__file__).parent
_BUSY = 0.1
_SECONDS, _SHORT = 0.5, 0.1  # of a sample
_SCALING = "scaling"


def main(
    job: Annotated[
        list[str] | None,
        typer.Option(
            help=f"One of {', '.join([*JOBS, _SCALING])}, or on a GPU one of their sizes: {', '.join(cuda_jobs.JOBS)}; "
            "may be repeated. Default: all."
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            help="cpu; cuda or cuda:N, with PyTorch's contenders on that GPU; rehearsal, which runs those on the CPU "
            "with few replicas and saves nothing."
        ),
    ] = "cpu",
    seconds: Annotated[float, typer.Option(min=0, help="On a GPU: about how long all jobs may take.")] = 300,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="With --check on a GPU: folder where the CPU's values are kept, and read if they are there. With "
            "--device rehearsal: compute them there, and nothing else."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples per contender, taken in turn.")] = 5,
    out: Annotated[
        Path,
        typer.Option(help="Folder of results.csv; of cuda.csv and cuda.md.", show_default="benchmarks/results"),
    ] = _HERE / "results",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="One short sample of each contender in two jobs, to check that all run; saves nothing.",
        ),
    ] = False,
    checking: Annotated[
        bool, typer.Option("--check", help="Compare the losses of all contenders instead of measuring.")
    ] = False,
) -> None:
    """Measure bnrenorm, stock Chainer, PyTorch, JAX and the floor in turn; print and save the tables."""
    if device != "cpu":
        raise typer.Exit(_on_gpu(job, device, seconds, reference, samples, out, quick=quick, checking=checking))
    unknown = set(job or ()) - {*JOBS, _SCALING}
    if unknown:
        raise typer.BadParameter(f"unknown job {sorted(unknown)[0]!r}; allowed: {', '.join(JOBS)}, {_SCALING}")
    jobs = [selected for name, selected in JOBS.items() if (name in job if job else not quick or name in QUICK)]
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    for absent in [selected for selected in jobs if data.missing(selected.images)]:
        console.print(f"{absent.name} is skipped: {data.missing(absent.images)}")
        jobs.remove(absent)
    if job and not (jobs or _SCALING in job):
        raise typer.Exit(1)
    if checking:
        right = [_check(selected, console) for selected in jobs]  # all, even if one is wrong
        raise typer.Exit(0 if all(right) else 1)
    busy = machine.busy()
    if busy > _BUSY:
        console.print(
            f"Other programs use {busy:.0%} of the cores: times will be too long, especially with several threads."
        )
    for selected in jobs:
        if quick:
            _measure(selected, console, 1, _SHORT, "--most", "20", quick=True)
            continue
        rows = _measure(selected, console, samples, _SECONDS)
        path = out / "results.csv"
        kept = results.merge(results.read(path), rows, list(JOBS))
        results.write(path, kept)
        if out.resolve() == (_HERE / "results").resolve():
            report.fill(_HERE / "README.md", kept)
    if _SCALING in job if job else not quick:
        rows = [row for selected in scaling.JOBS.values() for row in _measure(selected, console, 3, _SECONDS)]
        results.write(out / "scaling.csv", rows)
        scaling.save(rows, out / "scaling.png")


def _on_gpu(
    names: list[str] | None,
    device_name: str,
    seconds: float,
    reference: Path | None,
    samples: int,
    out: Path,
    *,
    quick: bool,
    checking: bool,
) -> int:
    """Measure or check on a GPU, or rehearse that; returns the exit code."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 150)
    try:
        chosen, device = cuda_jobs.select(names), choose(device_name)
    except (ValueError, InputError) as error:
        raise typer.BadParameter(str(error)) from error
    if device.rehearsal and reference is not None:
        command.prepare_references(chosen, reference, console)
        return 0
    if device.rehearsal:
        chosen = [cuda_jobs.rehearsed(selected) for selected in chosen]
    if checking:
        return 0 if command.check(chosen, device, reference, console) else 1
    short = quick or device.rehearsal
    fine = command.run(chosen, device, 2 if short else samples, seconds, None if short else out, console)
    return 0 if fine else 1


def _measure(
    job: Job, console: Console, samples: int, seconds: float, *options: str, quick: bool = False
) -> list[results.Row]:
    console.print(job.title)
    try:
        with console.status(job.name) as status:
            last_stage = ""

            def say(text: str, who: str | None = None) -> None:
                nonlocal last_stage
                status.update(f"{job.name}: {text}, {who}")
                if who is None or (text != last_stage and not console.is_terminal):
                    console.print(f"{job.name}: {text}")
                last_stage = last_stage if who is None else text

            measurements = measure(job, samples, seconds, say, *options, quick=quick)
    except Absent as error:
        console.print(f"{job.name}: {error}")
        raise typer.Exit(1) from error
    rows = results.rows(job, measurements, machine.describe())
    console.print(report.table(job, rows))
    for verdict in () if quick else results.verdicts(job, rows):
        console.print(str(verdict))
    return rows


def _check(job: Job, console: Console) -> bool:
    console.print(job.title)
    fine = True
    for name, text, right in check(job):
        console.print(f"  {'ok   ' if right else 'WRONG'} {name}: {text}")
        fine = fine and right
    return fine


if __name__ == "__main__":
    typer.run(main)
