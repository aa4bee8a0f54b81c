"""The contenders: which jobs they run, and in which arrangements of processes and threads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.jobs import Job, Replica

Family = Literal["ours", "chainer", "peers", "floor"]


@dataclass(frozen=True)
class Contender:
    """A module of `peers` and the function of it that prepares a `Run`.

    `takes`: what one sample trains. "all": every replica, grouped by bnrenorm. "stacks": every replica, in stacks.
    "alike": every replica, in stacks of one kind of layers. "each": one replica of each kind, one after another, as the
    cost is linear in replicas. "one": the first replica.
    """

    name: str
    family: Family
    module: str
    function: str = "prepare"
    takes: Literal["all", "stacks", "alike", "each", "one"] = "each"

    def groups(self, job: Job, part: int = 0, parts: int = 1, *, every: bool = False) -> list[list[Replica]]:
        """Return the groups of replicas that train together in process `part` of `parts`.

        With `every`, all replicas of the job are trained instead of one of each kind.
        """
        replicas = job.replicas
        if self.takes == "all":
            return [replicas]
        if self.takes == "alike":
            return _alike(replicas)
        if self.takes == "stacks":
            return _stacks(job, replicas[len(replicas) * part // parts : len(replicas) * (part + 1) // parts])
        return [[replica] for replica in (replicas if every else job.one_of_each)][: 1 if self.takes == "one" else None]


def _stacks(job: Job, replicas: Sequence[Replica]) -> list[list[Replica]]:
    """Group replicas with and without normalisation, in stacks of at most `job.stack`."""
    plain = [replica for replica in replicas if replica.kind.norm == "none"]
    normalised = [replica for replica in replicas if replica.kind.norm != "none"]
    return [alike[i : i + job.stack] for alike in (plain, normalised) for i in range(0, len(alike), job.stack)]


def _alike(replicas: Sequence[Replica]) -> list[list[Replica]]:
    """Group replicas whose networks have the same layers in PyTorch, in which BRN is BN."""
    groups: dict[object, list[Replica]] = {}
    for replica in replicas:
        groups.setdefault(replica.kind.norm != "none" and replica.kind.affine, []).append(replica)
    return list(groups.values())


OURS = Contender("bnrenorm", "ours", "ours", takes="all")
CHAINER = Contender("Chainer", "chainer", "stock")
EAGER = Contender("PyTorch eager", "peers", "torch_single")
COMPILED = Contender("PyTorch compiled", "peers", "torch_single", "prepare_compiled")
STACKED = Contender("PyTorch stacked", "peers", "torch_stacked", takes="stacks")
STACKED_COMPILED = Contender("PyTorch stacked, compiled", "peers", "torch_stacked", "prepare_compiled", "stacks")
JIT = Contender("JAX jit", "peers", "jax_jit")
VMAP = Contender("JAX vmap", "peers", "jax_jit", takes="stacks")
PRODUCTS = Contender("floor: matrix products", "floor", "floor", "prepare_products", "one")
UPDATE = Contender("floor: update's traffic", "floor", "floor", "prepare_update", "one")

_ALL = (OURS, CHAINER, EAGER, COMPILED, STACKED, STACKED_COMPILED, JIT, VMAP, PRODUCTS, UPDATE)
CONTENDERS = {contender.name: contender for contender in _ALL}


@dataclass(frozen=True)
class Entry:
    """A contender in an arrangement: a number of concurrent processes, and of threads in each."""

    contender: Contender
    processes: int
    threads: int

    @property
    def arrangement(self) -> str:
        """The arrangement in words."""
        threads = f"{self.threads} thread" + "s" * (self.threads > 1)
        return threads if self.processes == 1 else f"{self.processes} processes of {threads}"


def entries(job: Job, cores: int) -> list[Entry]:
    """Return the entries of a job on a number of cores, bnrenorm first, the floor last."""
    if job.contenders:
        alone = min(cores, len(job.replicas)), 1
        named = [CONTENDERS[name] for name in job.contenders]
        return [Entry(contender, *((1, cores) if contender is OURS else alone)) for contender in named]
    candidates = [
        Entry(contender, *arrangement)
        for contender in _ALL
        if _takes_part(contender, job)
        for arrangement in _arrangements(contender, job, cores)
    ]
    return list(dict.fromkeys(candidates))  # on one core, arrangements coincide


def _takes_part(contender: Contender, job: Job) -> bool:
    if contender.takes == "stacks":
        return len(job.replicas) > 1
    if contender is CHAINER:  # the slowest by far, and black pixels cost it as much as others
        return job.images == "digits"
    return contender is not UPDATE or (not job.full and not job.eval_sets)  # otherwise the update is negligible


def _arrangements(contender: Contender, job: Job, cores: int) -> list[tuple[int, int]]:
    """Return (processes, threads): one process on all cores, and one process per core."""
    together, alone = (1, cores), (min(cores, len(job.replicas)), 1)
    if contender is OURS:
        return [together]
    if contender is UPDATE:
        return [alone]
    # With the full batch every process needs more than 1 GiB, and there are only two replicas to distribute.
    if job.full and (cores > 2 or contender in (COMPILED, STACKED, STACKED_COMPILED, VMAP)):
        return [together]
    return [together, alone]
