"""What a training must compute and move, counted, and the least time in which a GPU can do it."""

import itertools
from dataclasses import dataclass

from benchmarks.data import SIZES
from benchmarks.jobs import Job

_FLOAT = 4  # bytes


@dataclass(frozen=True)
class Rates:
    """What a GPU has been measured to do in a second: bytes copied (read plus written), and float32 products' FLOP.

    product: those of float32 units; pixels: a third of what tensor cores do in 16 bits, as they take three products for
    one of pixels (see `bnrenorm.engines.cuda.pixels`).
    """

    copy: float
    product: float
    pixels: float = 0.0


@dataclass(frozen=True)
class Work:
    """Floating-point operations of the matrix products, and the fewest bytes that go through the GPU's memory.

    pixels: the part of the operations that is in products of pixels.
    """

    flop: float
    bytes: float
    pixels: float

    def __add__(self, other: "Work") -> "Work":
        return Work(self.flop + other.flop, self.bytes + other.bytes, self.pixels + other.pixels)

    def __mul__(self, times: float) -> "Work":
        return Work(self.flop * times, self.bytes * times, self.pixels * times)

    def seconds(self, rates: Rates) -> float:
        """Return the time of the slower of the two, which go on at the same time."""
        return max(self.by_products(rates), self.bytes / rates.copy)

    def by_products(self, rates: Rates) -> float:
        """Return the time of the products, those of pixels by the faster units."""
        return (self.flop - self.pixels) / rates.product + self.pixels / max(rates.product, rates.pixels)


def step(job: Job) -> Work:
    """Return the work of a training step of all replicas.

    Products: of the forward pass, of the gradient of the weights, and of that of the inputs above the first layer.
    Bytes: each weight, and its velocity where there is momentum, is read and written; of each seed's batch each pixel
    is read once, as a byte. Biases, gamma, beta, statistics and activations are left out: they can stay on the chip.
    """
    layers = list(itertools.pairwise(job.widths))
    weights = sum(fan_in * width for fan_in, width in layers)
    inner = sum(fan_in * width for fan_in, width in layers[1:])
    arrays = 2 if job.momentum else 1
    replicas = len(job.replicas)
    return Work(
        flop=2.0 * replicas * job.batch * (2 * weights + inner),
        bytes=2.0 * arrays * _FLOAT * replicas * weights + len(job.seeds) * job.batch * job.widths[0],
        pixels=2.0 * replicas * job.batch * 2 * (weights - inner),
    )


def evaluation(job: Job) -> Work:
    """Return the work of evaluating all replicas after a round: weights and pixels (as bytes) are read once."""
    weights = sum(fan_in * width for fan_in, width in itertools.pairwise(job.widths))
    images = sum(SIZES[name] // job.eval_share for name in job.eval_sets)
    if not images:
        return Work(0.0, 0.0, 0.0)
    replicas = len(job.replicas)
    return Work(
        flop=2.0 * replicas * images * weights,
        bytes=_FLOAT * replicas * weights + images * job.widths[0],
        pixels=2.0 * replicas * images * job.widths[0] * job.widths[1],
    )


def unit(job: Job) -> Work:
    """Return the mean work of one unit of the report: `unit_steps` steps of one replica with their evaluations."""
    return (step(job) + evaluation(job) * (1 / job.round)) * (job.unit_steps / len(job.replicas))


def floor(job: Job, rates: Rates) -> float:
    """Return the least seconds of one unit of the report. Steps and evaluations follow one another: theirs add up."""
    seconds = step(job).seconds(rates) + evaluation(job).seconds(rates) / job.round
    return seconds * job.unit_steps / len(job.replicas)
