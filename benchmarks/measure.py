"""Measurement of a job: all contenders are started and warmed up, then one sample of each is taken in turn."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.contenders import OURS, Entry, entries
from benchmarks.jobs import Job
from benchmarks.processes import Absent, Processes, cores

_PAUSE = 0.1  # seconds between samples, for the threads of the last contender to become idle


@dataclass
class Measurement:
    """An entry's samples, in the job's unit (s or ms)."""

    entry: Entry
    samples: list[float] = field(default_factory=list)


def measure(job: Job, samples: int, seconds: float, say: Callable[..., None], *options: str) -> list[Measurement]:
    """Measure all entries of a job; a sample lasts about `seconds`, or one round if that is longer.

    Reports progress by `say(stage, contender)`, and skipped entries by `say(text)`. Raises Absent if bnrenorm itself
    cannot run. `options` are passed to `worker`.
    """
    with ExitStack() as stack:
        ready: list[tuple[Measurement, Processes, int]] = []
        for entry in entries(job, len(cores())):
            name = f"{entry.contender.name}, {entry.arrangement}"
            say("warming up", name)
            try:
                processes = stack.enter_context(Processes(job, entry, *options))
                processes.go(1)  # compiles
                rounds = math.ceil(seconds / processes.go(1)[0])
            except Absent as error:
                if entry.contender is OURS:
                    raise
                say(f"{name} is skipped: {error}")
                continue
            ready.append((Measurement(entry), processes, rounds))
        for sample in range(samples):
            for measurement, processes, rounds in ready:
                say(f"sample {sample + 1} of {samples}", measurement.entry.contender.name)
                time.sleep(_PAUSE)
                taken, _ = processes.go(rounds)
                measurement.samples.append(job.scale * taken / (rounds * processes.units))
    return [measurement for measurement, _, _ in ready]
