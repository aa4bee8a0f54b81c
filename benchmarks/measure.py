"""Measuring a job: everybody warm and asleep, then one sample of each in turn, again and again."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.contenders import OURS, Entry, entries
from benchmarks.jobs import Job
from benchmarks.processes import Absent, Processes, cores

_PAUSE = 0.1  # seconds between samples, in which the threads of the last contender fall asleep


@dataclass
class Measurement:
    """An entry's samples, in the job's unit (s or ms)."""

    entry: Entry
    samples: list[float] = field(default_factory=list)


def measure(job: Job, samples: int, seconds: float, say: Callable[..., None], *options: str) -> list[Measurement]:
    """Measure all entries of a job, each sample lasting about so many seconds, or one round.

    `say(stage, who)` hears of all that happens, `say(text)` of who is skipped and why. Raises Absent if it is bnrenorm
    that cannot run. `options` are those of `worker`.
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
