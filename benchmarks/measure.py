"""Measurement of a job: all contenders are started and warmed up, then one sample of each is taken in turn."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.contenders import OURS, Entry, entries
from benchmarks.jobs import Job
from benchmarks.processes import Absent, Processes, cores

_SIDE_BY_SIDE = 2  # contenders that compile at a time: mostly on one core each
_AT_LEAST, _ENOUGH = 3, 30  # samples, and seconds after which there are no more
_PAUSE = 0.1  # seconds between samples, for the threads of the last contender to become idle


@dataclass
class Measurement:
    """An entry's samples, in the job's unit (s or ms)."""

    entry: Entry
    samples: list[float] = field(default_factory=list)


def measure(
    job: Job, samples: int, seconds: float, say: Callable[..., None], *options: str, quick: bool = False
) -> list[Measurement]:
    """Measure all entries of a job; a sample lasts about `seconds`, or one round if that is longer.

    Takes fewer samples, at least three, if all together take longer than half a minute. Reports progress by `say(stage,
    contender)`, and skipped entries by `say(text)`. Raises Absent if bnrenorm itself cannot run. `options` are for
    `worker`; with `quick`, each contender is in one arrangement.
    """
    with ExitStack() as stack:
        ready = [
            _Ready(Measurement(entry), processes)
            for entry, processes in _warmed_up(job, stack, say, *options, quick=quick)
        ]
        begun = time.monotonic()
        for sample in range(samples):
            if sample >= _AT_LEAST and time.monotonic() - begun > _ENOUGH:
                break
            for one in ready:
                say(f"sample {sample + 1} of {samples}", one.measurement.entry.contender.name)
                time.sleep(_PAUSE)
                one.take(job.scale, seconds)
    return [one.measurement for one in ready]


@dataclass
class _Ready:
    """A measurement's processes, and the rounds of a sample once they are known."""

    measurement: Measurement
    processes: Processes
    rounds: int = 1

    def take(self, scale: float, seconds: float) -> None:
        """Take a sample of about `seconds`; the first round of all is one if it is as long."""
        taken, _ = self.processes.go(self.rounds)
        if not self.measurement.samples and taken < seconds:
            self.rounds = math.ceil(seconds / taken)
            taken, _ = self.processes.go(self.rounds)
        self.measurement.samples.append(scale * taken / (self.rounds * self.processes.units))


def _warmed_up(
    job: Job, stack: ExitStack, say: Callable[..., None], *options: str, quick: bool
) -> list[tuple[Entry, Processes]]:
    """Start the processes of all entries and let them compile, some side by side; `stack` ends them."""

    def start(entry: Entry) -> Processes | Absent:
        say("warming up", f"{entry.contender.name}, {entry.arrangement}")
        try:
            processes = stack.enter_context(Processes(job, entry, *options))
            processes.go(1)
        except Absent as error:
            return error
        return processes

    everyone, ready = entries(job, len(cores())), []
    if quick:
        everyone = list({entry.contender: entry for entry in everyone}.values())
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for entry, started in zip(everyone, pool.map(start, everyone), strict=True):
            if isinstance(started, Processes):
                ready.append((entry, started))
            elif entry.contender is OURS:
                raise started
            else:
                say(f"{entry.contender.name}, {entry.arrangement} is skipped: {started}")
    return ready
