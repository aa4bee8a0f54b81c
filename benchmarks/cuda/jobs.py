"""The jobs on a GPU: those of the CPU in several sizes, with the required speed of each."""

from dataclasses import replace
from typing import Any

from benchmarks.jobs import FULL_BATCH, MICRO_BATCH, MINI_BATCH, SMALL, Gate, Job

_UNLIMITED = 10_000  # replicas in a stack of a peer: a GPU's memory has room for all

_NOT_SLOWER = (Gate("PyTorch eager", 1.0),)


def _sized(job: Job, title: str, seeds: int = 1, **changes: Any) -> Job:
    """Return a job with that many seeds, named after its number of replicas, which stands for {} in the title."""
    sized = replace(job, seeds=tuple(range(seeds)), stack=_UNLIMITED, **{"gates": (), **changes})
    replicas = len(sized.replicas)
    networks = "one replica" if replicas == 1 else f"{replicas} replicas"
    return replace(sized, name=f"{job.name}-{replicas}", title=title.format(networks))


def _mini(seeds: int, **changes: Any) -> Job:
    title = "Mini-batch: {}, 784-100-50-10, batches of 100, a tenth of all 70,000 images evaluated every 60 steps"
    unit = "µs a step and replica"
    return _sized(MINI_BATCH, title, seeds, unit=unit, unit_steps=1, round=60, eval_share=10, **changes)


def _micro(seeds: int, *, round: int, **changes: Any) -> Job:
    title = "Micro-batch: {}, 784-400-10, batches of 4, training only"
    return _sized(MICRO_BATCH, title, seeds, unit="µs a step and replica", round=round, **changes)


def _small(seeds: int, **changes: Any) -> Job:
    title = "Small: {} with BN, 784-400-10, batches of 32, training only"
    return _sized(SMALL, title, seeds, unit="µs a step and replica", round=500, **changes)


_MANY = (Gate("PyTorch eager", 10.0), Gate("peers", 1.5))
_BN = MICRO_BATCH.kinds[1:2]
_NODES = MINI_BATCH.kinds[2:]

FAMILIES: dict[str, tuple[Job, ...]] = {
    "full-batch": (_sized(FULL_BATCH, FULL_BATCH.title, unit="ms a step and variant", gates=(Gate("peers", 1.2),)),),
    "mini-batch": (
        _mini(1, kinds=_NODES, rates=(0.1,), gates=_NOT_SLOWER),
        _mini(1),
        _mini(37, gates=_MANY),
    ),
    "micro-batch": (
        _micro(1, round=500, kinds=_BN, gates=_NOT_SLOWER),
        _micro(10, round=250),
        _micro(333, round=100, gates=(*_MANY, Gate("copy rate", 0.85))),
    ),
    "small": (_small(1, gates=_NOT_SLOWER), _small(30)),
}
"""The sizes of each of the CPU's jobs: a single replica, some 30, some 1,000."""

JOBS = {job.name: job for jobs in FAMILIES.values() for job in jobs}


def select(names: list[str] | None) -> list[Job]:
    """Return the jobs with these names, or of these families, all by default; first those with gates.

    Raises ValueError for an unknown name.
    """
    for name in names or ():
        if name not in FAMILIES and name not in JOBS:
            raise ValueError(f"unknown job {name!r}; allowed: {', '.join([*FAMILIES, *JOBS])}")
    chosen = [
        job for family, jobs in FAMILIES.items() for job in jobs if not names or family in names or job.name in names
    ]
    return sorted(chosen, key=lambda job: (not job.gates, -len(job.replicas)))


def rehearsed(job: Job) -> Job:
    """Return a job that takes seconds on a CPU: at most two seeds and rates, and five steps a round."""
    return replace(job, seeds=job.seeds[:2], rates=job.rates[:2], round=min(job.round, 5), eval_share=20)
