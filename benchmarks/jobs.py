"""The jobs: what is trained, what a sample is, and the required speed."""

from dataclasses import dataclass, replace
from typing import Literal

Images = Literal["digits", "half lit", "all lit", "fashion"]
"""MNIST, a fifth of whose pixels is lit; pictures of `synthetic`, half or all of them lit; Fashion-MNIST, half."""


@dataclass(frozen=True)
class Kind:
    """The normalisation of a replica. `affine`: one gamma and beta per node, per layer, or none."""

    name: str
    norm: Literal["none", "batch", "renorm"] = "batch"
    affine: Literal["node", "layer", "none"] = "node"
    r_max: float = 1.0
    d_max: float = 0.0


@dataclass(frozen=True)
class Replica:
    """One network: its normalisation, its learning rate, and the seed of its weights and batches."""

    kind: Kind
    rate: float
    seed: int

    def __str__(self) -> str:
        return f"{self.kind.name}, rate {self.rate:g}, seed {self.seed}"


@dataclass(frozen=True)
class Gate:
    """A required speed: others take at least `factor` times as long as bnrenorm; it, at most `factor` times the floor.

    `against`: a family, whose fastest contender counts, or one contender's name; "copy rate": bnrenorm moves the bytes
    of a step at no less than `factor` times the rate at which the GPU copies.
    """

    against: str
    factor: float

    @property
    def wording(self) -> str:
        """The gate in words."""
        if self.against == "floor":
            return f"at most {self.factor:g} times the floor"
        if self.against == "copy rate":
            return f"at least {self.factor:.0%} of the measured copy rate"
        named = {"peers": "the best peer", "chainer": "stock Chainer"}.get(self.against, self.against)
        return f"at least {self.factor:g} times as fast as {named}" if self.factor != 1 else f"as fast as {named}"


@dataclass(frozen=True)
class Job:
    """A training that every contender does: ReLU, softmax cross entropy, SGD with or without momentum, float32.

    A round is the smallest unit of work that is timed: `round` steps, then an evaluation of the first 1 / `eval_share`
    of each of `eval_sets` in inference mode. The report gives times in `unit`, which is `unit_steps` steps of one
    replica. Peers that stack replicas stack at most `stack` of them, as more do not fit the caches. Where `contenders`
    are named, these alone take part, peers with one process per core.
    """

    name: str
    title: str
    unit: str
    unit_steps: int
    widths: tuple[int, ...]
    batch: int
    norm_first: bool
    momentum: float
    decay: float
    kinds: tuple[Kind, ...]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    round: int
    eval_sets: tuple[Literal["train_set", "test"], ...]
    stack: int
    gates: tuple[Gate, ...]
    eval_share: int = 1
    images: Images = "digits"
    contenders: tuple[str, ...] = ()

    @property
    def replicas(self) -> list[Replica]:
        """All networks, kind by kind, then rate by rate."""
        return [Replica(kind, rate, seed) for kind in self.kinds for rate in self.rates for seed in self.seeds]

    @property
    def one_of_each(self) -> list[Replica]:
        """One network of each kind, with the middle learning rate."""
        return [Replica(kind, self.rates[len(self.rates) // 2], self.seeds[0]) for kind in self.kinds]

    @property
    def full(self) -> bool:
        """Whether a batch is the whole training set."""
        return self.batch == IMAGES

    @property
    def scale(self) -> float:
        """Factor from seconds to the report's unit."""
        return {"ms": 1e3, "µs": 1e6}.get(self.unit[:2], 1.0)


IMAGES = 60_000

_ARTICLE = (784, 400, 10)

FULL_BATCH = Job(
    name="full-batch",
    title="Full batch: BN and BRN, 784-400-10, 60,000 images a step, tested after every step",
    unit="s a step and variant",
    unit_steps=1,
    widths=_ARTICLE,
    batch=IMAGES,
    norm_first=False,
    momentum=0.9,
    decay=0.9,
    kinds=(Kind("BN"), Kind("BRN", "renorm")),  # Chainer's defaults: r_max 1, d_max 0
    rates=(0.01,),
    seeds=(0,),
    round=1,
    eval_sets=("test",),
    stack=2,
    gates=(
        Gate("peers", 1.5),
        Gate("chainer", 2.8),
        Gate("floor", 1.2),
    ),
)

MINI_BATCH = Job(
    name="mini-batch",
    title="Mini-batch: 27 replicas, 784-100-50-10, batches of 100, half of all 70,000 images evaluated every 300 steps",
    unit="s an epoch and replica",
    unit_steps=600,
    widths=(784, 100, 50, 10),
    batch=100,
    norm_first=True,
    momentum=0.0,
    decay=0.9,
    kinds=(Kind("N", affine="none"), Kind("BN", affine="layer"), Kind("BN(n)", affine="node")),
    rates=(0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0),
    seeds=(0,),
    round=300,
    eval_sets=("train_set", "test"),
    eval_share=2,
    stack=27,
    gates=(
        Gate("peers", 1.5),
        Gate("chainer", 6.0),
        Gate("floor", 1.4),
    ),
)

MICRO_BATCH = Job(
    name="micro-batch",
    title="Micro-batch: none, BN and BRN with 10 seeds, 784-400-10, batches of 4, training only",
    unit="ms a step and replica",
    unit_steps=1,
    widths=_ARTICLE,
    batch=4,
    norm_first=False,
    momentum=0.9,
    decay=0.99,
    kinds=(Kind("none", "none"), Kind("BN"), Kind("BRN", "renorm", r_max=3.0, d_max=5.0)),
    rates=(0.01,),
    seeds=tuple(range(10)),
    round=200,
    eval_sets=(),
    stack=10,
    gates=(
        Gate("peers", 2.0),
        Gate("chainer", 6.0),
    ),
)

SMALL = Job(
    name="small",
    title="Small: a single BN replica, 784-400-10, batches of 32, training only",
    unit="ms a step",
    unit_steps=1,
    widths=_ARTICLE,
    batch=32,
    norm_first=False,
    momentum=0.9,
    decay=0.99,
    kinds=(Kind("BN"),),
    rates=(0.01,),
    seeds=(0,),
    round=500,
    eval_sets=(),
    stack=1,
    gates=(Gate("PyTorch eager", 1.0),),
)

_SHARE = {"half lit": "half of the pixels lit", "all lit": "all pixels lit", "fashion": "Fashion-MNIST"}


def _on(images: Images, job: Job, *gates: Gate) -> Job:
    name, title = f"{job.name}-{images.replace(' ', '-')}", f"{job.title}; {_SHARE[images]}"
    return replace(job, name=name, title=title, gates=gates, images=images)


_ALL = (
    FULL_BATCH,
    MINI_BATCH,
    MICRO_BATCH,
    SMALL,
    _on("half lit", FULL_BATCH, Gate("peers", 1.15), Gate("floor", 1.15)),
    _on("half lit", MINI_BATCH, Gate("peers", 1.5)),
    _on("half lit", MICRO_BATCH, Gate("peers", 1.5)),
    _on("half lit", SMALL, Gate("PyTorch eager", 2.0)),
    _on("all lit", MICRO_BATCH),
    *(_on("fashion", job) for job in (FULL_BATCH, MINI_BATCH, MICRO_BATCH, SMALL)),
)

JOBS = {job.name: job for job in _ALL}
QUICK = ("full-batch", "micro-batch-half-lit")
"""Jobs that show whether every contender runs, with whole sets and with small batches."""
