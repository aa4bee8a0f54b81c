"""Check that all contenders compute the same: losses after a few steps from the same weights on the same batches."""

import math
from collections.abc import Iterator

from benchmarks.contenders import CHAINER, CONTENDERS, OURS, Entry
from benchmarks.jobs import Job
from benchmarks.processes import Absent, Failed, Processes

STEPS = 5
TOLERANCE = 1e-3
"""Tolerance: relative difference of a loss, absolute difference of an accuracy."""

Values = dict[str, dict[str, float]]  # replica -> quantity -> value


def check(job: Job) -> Iterator[tuple[str, str, bool]]:
    """Compare every contender's replicas with stock Chainer's; yields its name, the result in words, whether it agrees.

    PyTorch and JAX run BN instead of BRN, so their BRN is compared only where Chainer's defaults make it BN.
    """
    reference = _values(job, CHAINER.name)
    renorm = {str(replica) for replica in job.replicas if replica.kind.r_max > 1 or replica.kind.d_max > 0}
    for contender in CONTENDERS.values():
        if contender.family == "floor" or contender is CHAINER or (contender.takes == "stacks" and job.stack == 1):
            continue
        try:
            values = _values(job, contender.name)
        except Absent as error:
            yield contender.name, f"skipped: {error}", not isinstance(error, Failed)
            continue
        compared = [name for name in values if contender is OURS or name not in renorm]
        worst = max(
            (difference(quantity, value, reference[name][quantity]), f"{quantity} of {name}")
            for name in compared
            for quantity, value in values[name].items()
            if quantity in reference[name]
        )
        text = f"{len(compared)} replicas, at most {worst[0]:.1e} from Chainer's ({worst[1]})"
        yield contender.name, text, worst[0] <= TOLERANCE


def _values(job: Job, name: str) -> Values:
    """Train a contender for `STEPS` steps; Chainer trains every replica."""
    options = ["--most", str(STEPS), *(["--every"] if name == CHAINER.name else [])]
    rounds = STEPS // min(STEPS, job.round)
    with Processes(job, Entry(CONTENDERS[name], 1, 1), *options) as processes:
        _, values = processes.go(rounds)
        return {
            replica: {quantity: column[row] for quantity, column in values.items()}
            for row, replica in enumerate(processes.replicas)
        }


def difference(quantity: str, value: float, reference: float) -> float:
    """Return the relative difference of a loss, the absolute one of an accuracy; infinite unless both are finite."""
    difference = abs(value - reference) / (abs(reference) if quantity.endswith("loss") else 1)
    return difference if math.isfinite(difference) else math.inf
