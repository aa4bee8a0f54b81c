"""The contenders on a GPU, and which jobs they take part in."""

from benchmarks.contenders import Contender
from benchmarks.jobs import Job

OURS = Contender("bnrenorm", "ours", "ours", takes="all")
EAGER = Contender("PyTorch eager", "peers", "single")
CAPTURED = Contender("PyTorch in a CUDA graph", "peers", "single", "prepare_captured")
STACKED = Contender("PyTorch stacked", "peers", "stacked", takes="stacks")
STACKED_CAPTURED = Contender("PyTorch stacked in a CUDA graph", "peers", "stacked", "prepare_captured", "stacks")
VMAP = Contender("PyTorch vmap", "peers", "vmap", takes="alike")
COMPILED = Contender("PyTorch compiled", "peers", "single", "prepare_compiled")
STACKED_COMPILED = Contender("PyTorch stacked, compiled", "peers", "stacked", "prepare_compiled", "stacks")
CHAINER = Contender("bnrenorm's Chainer engine", "chainer", "ours", "prepare_chainer", "all")
PRODUCTS = Contender("floor: matrix products", "floor", "floor", "prepare_products", "all")
UPDATE = Contender("floor: update's traffic", "floor", "floor", "prepare_update", "all")

_ALL = (
    OURS, CHAINER, EAGER, CAPTURED, COMPILED, STACKED, STACKED_CAPTURED, STACKED_COMPILED, VMAP, PRODUCTS, UPDATE,
)  # fmt: skip
_LAST = (STACKED_COMPILED, COMPILED, CHAINER)  # prepared after the others, as they take long

CONTENDERS = {contender.name: contender for contender in _ALL}
"""By name, in the order of the tables."""


def of(job: Job) -> list[Contender]:
    """Return the contenders of a job in the order in which they are prepared."""
    taking_part = [contender for contender in _ALL if _takes_part(contender, job)]
    last = [contender for contender in _LAST if contender in taking_part]
    return [contender for contender in taking_part if contender not in last] + last


def is_optional(contender: Contender) -> bool:
    """Say whether a contender may be left out when time is short: no gate needs it."""
    return contender in _LAST or contender.family == "floor"


def _takes_part(contender: Contender, job: Job) -> bool:
    several = len(job.replicas) > 1
    if contender.takes in ("stacks", "alike"):
        return several
    if contender is COMPILED:  # its time for one network is in the smallest job, and compiling takes long
        return not several or job.full
    return contender is not UPDATE or (not job.full and not job.eval_sets)  # otherwise the update is negligible


def arrangement(contender: Contender, job: Job) -> str:
    """Say what trained at the same time, and what was scaled."""
    replicas, kinds = len(job.replicas), len(job.one_of_each)
    if replicas == 1:
        return "1 network"
    if contender.takes != "each":
        return f"{replicas} together"
    trained = f"{kinds} networks in turn" if kinds > 1 else "1 network"
    return trained if replicas == kinds else f"{trained}, scaled to {replicas}"
