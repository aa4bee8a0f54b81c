"""Measurement of a job on a GPU: all contenders in this process, warmed up, then one sample of each in turn."""

import gc
import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.contenders import Contender
from benchmarks.cuda import contenders
from benchmarks.cuda.device import Device
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Missing, Run, Values

_SAMPLE = 0.5
"""Seconds that a sample lasts at most, unless one round is longer."""

_PREPARATION = 0.6
"""Share of a job's time after which only those contenders are prepared that gates need."""

_LEAST = 3
"""Samples of each contender that are taken when the job's time is over."""

Say = Callable[[str], None]


@dataclass
class Measurement:
    """A contender's samples, in the job's unit."""

    contender: Contender
    samples: list[float] = field(default_factory=list)


@dataclass
class Prepared:
    """A contender that is ready to run. `replicas`: what it trains, in the order of its values."""

    contender: Contender
    runs: list[Run]
    replicas: list[Replica]
    seconds: float = 0.0
    rounds: int = 1

    def round(self) -> list[Values]:
        """Run one round of each of its groups."""
        return [run() for run in self.runs]


def prepare(contender: Contender, job: Job, device: Device, *, every: bool = False) -> Prepared:
    """Build a contender. With `every`, one that trains a network of each kind trains all of the job's networks.

    Raises `Missing` if a library is not installed.
    """
    groups = contender.groups(job, every=every)
    module = importlib.import_module(f"benchmarks.cuda.peers.{contender.module}")
    runs = [getattr(module, contender.function)(job, group, device) for group in groups]
    return Prepared(contender, runs, [replica for group in groups for replica in group])


def measure(job: Job, device: Device, samples: int, seconds: float, say: Say) -> list[Measurement]:
    """Measure the contenders of a job in about that many seconds; if there are few, samples are shorter or fewer.

    A contender that fails, or that no gate needs and for which no time is left, is left out and named by `say`;
    bnrenorm's own failure is raised.
    """
    begin = time.perf_counter()

    def used() -> float:
        return time.perf_counter() - begin

    ready: list[Prepared] = []
    for contender in contenders.of(job):
        optional = contenders.is_optional(contender)
        if optional and used() > _PREPARATION * seconds:
            say(f"{contender.name} is left out: no time for it, more with --seconds")
            continue
        try:
            prepared = prepare(contender, job, device)
            for _ in range(1 + job.full):  # compiles, and records a graph, which shorter rounds do one after the other
                timed(prepared, device)
            prepared.seconds = timed(prepared, device)
        except Exception as error:  # out of memory, a failing compiler: the others can go on
            if contender is contenders.OURS:
                raise
            say(f"{contender.name} is left out: {reason(error)}")
            continue
        say(f"{contender.name} is ready after {used():.0f} s: {prepared.seconds:.3g} s a round")
        if optional and used() + samples * prepared.seconds > seconds:
            say(f"{contender.name} is left out: its samples would take too long, more with --seconds")
            continue
        ready.append(prepared)
    share = min(_SAMPLE, max(0.0, seconds - used()) / (samples * len(ready)))
    for prepared in ready:
        prepared.rounds = max(1, int(share / prepared.seconds))
    measurements = [Measurement(prepared.contender) for prepared in ready]
    with _old_objects_kept():
        for turn in range(samples):
            if turn >= _LEAST and used() > seconds:
                say(f"stopped after {turn} samples: the time is over")
                break
            for prepared, measurement in zip(ready, measurements, strict=True):
                gc.collect()
                units = len(prepared.replicas) * job.round / job.unit_steps
                taken = timed(prepared, device)
                measurement.samples.append(job.scale * taken / (prepared.rounds * units))
    say(f"measured after {used():.0f} s")
    return measurements


def timed(prepared: Prepared, device: Device) -> float:
    """Return the seconds of a sample: from an idle device until it is idle again."""
    device.synchronize()
    started = time.perf_counter()
    for _ in range(prepared.rounds):
        prepared.round()
    device.synchronize()
    return time.perf_counter() - started


@contextmanager
def _old_objects_kept() -> Iterator[None]:
    """Context in which a garbage collection looks at new objects alone, and takes no time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def reason(error: Exception) -> str:
    """Return the first line of an error's message, with its type unless it says that something is missing."""
    line = next(iter(str(error).splitlines()), "")
    return line if isinstance(error, Missing) else f"{type(error).__name__}: {line}"
