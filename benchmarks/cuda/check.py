"""Check that all contenders compute on the GPU what bnrenorm computes on a CPU, after a few steps."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.check import STEPS, TOLERANCE, difference
from benchmarks.cuda import contenders
from benchmarks.cuda.device import Device
from benchmarks.cuda.measure import Prepared, prepare, reason
from benchmarks.jobs import Job
from benchmarks.peers import Missing, ours
from bnrenorm.engines.cpu import support

_FEW = 30
"""Contenders that train one network at a time are checked in jobs of at most so many replicas."""

Values = dict[str, dict[str, float]]  # replica -> quantity -> value


def checked(job: Job) -> Job:
    """Return the job with five steps and half of the test set evaluated after them: a wrong weight shows there."""
    return dataclasses.replace(job, round=1 if job.full else STEPS, eval_sets=("test",), eval_share=2)


def check(job: Job, device: Device, folder: Path | None) -> Iterator[tuple[str, str, bool]]:
    """Compare each contender's losses and accuracies with the reference; yields its name, the result, if it agrees.

    PyTorch trains BN instead of BRN: its BRN is compared only where r_max 1 and d_max 0 make it BN.
    """
    job = checked(job)
    expected = reference(job, folder)
    renorm = {str(replica) for replica in job.replicas if replica.kind.r_max > 1 or replica.kind.d_max > 0}
    for contender in contenders.of(job):
        if contender.family == "floor" or (contender.takes == "each" and len(job.replicas) > _FEW):
            continue
        device.free()
        try:
            values = _values(job, prepare(contender, job, device, every=contender is not contenders.COMPILED))
        except Exception as error:  # that of one contender is a result of the check, not its end
            yield contender.name, reason(error), isinstance(error, Missing)
            continue
        compared = [name for name in values if contender.family != "peers" or name not in renorm]
        yield contender.name, *compare({name: values[name] for name in compared}, expected)
    device.free()


def compare(values: Values, expected: Values) -> tuple[str, bool]:
    """Return in words how far the values are from those expected, and whether that is near enough."""
    worst, place = max(
        (difference(quantity, value, expected[name][quantity]), f"{quantity} of {name}")
        for name, quantities in values.items()
        for quantity, value in quantities.items()
    )
    return f"{len(values)} replicas, at most {worst:.1e} from the CPU's ({place})", worst <= TOLERANCE


def reference(job: Job, folder: Path | None) -> Values:
    """Return the values of bnrenorm on a CPU, read from the folder if they are there, or written to it."""
    path = folder and folder / f"{job.name}.npz"
    if path is None or not path.exists():
        engine = "cpu" if support.problem() is None else "chainer"
        run = ours.prepare(job, job.replicas, engine)
        columns = [run() for _ in range(STEPS // job.round)][-1]
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, **columns)  # pyright: ignore[reportArgumentType] - its stub takes the names for options
    else:
        with np.load(path) as file:
            columns = dict(file)
    return _by_replica([str(replica) for replica in job.replicas], columns)


def _values(job: Job, prepared: Prepared) -> Values:
    """Train for `STEPS` steps; returns the values of the last round."""
    rounds = [prepared.round() for _ in range(STEPS // job.round)]
    columns = {name: np.concatenate([values[name] for values in rounds[-1]]) for name in rounds[-1][0]}
    return _by_replica([str(replica) for replica in prepared.replicas], columns)


def _by_replica(names: list[str], columns: dict[str, np.ndarray]) -> Values:
    return {
        replica: {quantity: float(column[row]) for quantity, column in columns.items()}
        for row, replica in enumerate(names)
    }
