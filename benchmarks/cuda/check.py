"""Check that all contenders compute on the GPU what bnrenorm computes on a CPU, after a few steps."""

import dataclasses
import io
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.check import STEPS, TOLERANCE, difference
from benchmarks.cuda import contenders
from benchmarks.cuda.device import Device
from benchmarks.cuda.measure import Prepared, prepare, reason
from benchmarks.jobs import Job
from benchmarks.peers import Missing, ours
from bnrenorm import atomic
from bnrenorm.engines.cpu import support

_FEW = 30
"""Contenders that train one network at a time are checked in jobs of at most so many replicas."""

_ONE_IN = 200  # replicas, of which one may be further away
_REPLICAS = "replicas"  # name of their names in a file of a reference

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
        except Missing as error:
            yield contender.name, f"skipped: {error}", True
            continue
        except Exception as error:  # that of one contender is a result of the check, not its end
            yield contender.name, reason(error), False
            continue
        compared = [name for name in values if contender.family != "peers" or name not in renorm]
        yield contender.name, *compare({name: values[name] for name in compared}, expected)
    device.free()


def compare(values: Values, expected: Values) -> tuple[str, bool]:
    """Return in words how far the replicas are from those expected, and whether that is near enough.

    All must be within the tolerance. One replica in `_ONE_IN` may be within ten times of it: rounding chooses the side
    of a ReLU whose input is all but 0, and a large learning rate multiplies what follows from that.
    """
    worst = {
        replica: max((difference(name, value, expected[replica][name]), name) for name, value in quantities.items())
        for replica, quantities in values.items()
    }
    replica = max(worst, key=lambda replica: worst[replica][0])
    far = sum(distance > TOLERANCE for distance, _ in worst.values())
    half = statistics.median(distance for distance, _ in worst.values())
    distance, quantity = worst[replica]
    text = f"{len(values)} replicas, at most {distance:.1e} from the CPU's ({quantity} of {replica})"
    near = far * _ONE_IN <= len(values) and distance <= 10 * TOLERANCE
    return f"{text}, half of them within {half:.1e}", near


def reference(job: Job, folder: Path | None) -> Values:
    """Return the values of bnrenorm on a CPU, read from the folder if they are there, and kept in it otherwise."""
    names = [str(replica) for replica in job.replicas]
    path = folder and folder / f"{job.name}.npz"
    if path is not None and path.exists():
        with np.load(path) as file:
            columns = dict(file)
        if columns.pop(_REPLICAS).tolist() == names:
            return _by_replica(names, columns)
    run = ours.prepare(job, job.replicas, "cpu" if support.problem() is None else "chainer")
    columns = [run() for _ in range(STEPS // job.round)][-1]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {_REPLICAS: np.array(names), **columns}
        content = io.BytesIO()
        np.savez(content, **arrays)
        atomic.write(path, content.getvalue())
    return _by_replica(names, columns)


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
