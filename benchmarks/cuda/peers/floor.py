"""The unavoidable parts of a step by CuPy: the matrix products in their own shapes, or one pass over the weights."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.cuda.device import Device
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run, Values

Product = Callable[[], object]

_ELEMENTS = 2**28  # of the widest layer's activations in an evaluation: 1 GiB


def prepare_products(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Compute the float32 products of the steps and of the evaluation after them, batched over replicas.

    The replicas of a seed share its images: their first layer is one product per seed, and so is their evaluation.
    """
    steps = _step(job, len(replicas), device)
    evaluation = _evaluation(job, len(replicas), device)

    def run() -> Values:
        for _ in range(job.round):
            for product in steps:
                product()
        for product in evaluation:
            product()
        return {}

    return run


def _step(job: Job, replicas: int, device: Device) -> list[Product]:
    """Return the products of the forward pass, then of the gradients of weights and (above layer 0) inputs."""
    products = []
    for layer, (fan_in, width) in enumerate(itertools.pairwise(job.widths)):
        groups = replicas if layer else len(job.seeds)
        columns = width * replicas // groups
        products.append(_product(device, groups, job.batch, fan_in, columns))
        products.append(_product(device, groups, columns, job.batch, fan_in))
        if layer:
            products.append(_product(device, groups, job.batch, width, fan_in))
    return products


def _evaluation(job: Job, replicas: int, device: Device) -> list[Product]:
    """Return the products of the forward pass over the evaluated sets, in blocks that fit the memory."""
    block = min(10_000, max(100, _ELEMENTS // (replicas * max(job.widths[1:]))))
    products = []
    for name in job.eval_sets:
        count = data.SIZES[name] // job.eval_share
        layers = [
            _product(device, replicas if layer else 1, min(block, count), fan_in, width if layer else width * replicas)
            for layer, (fan_in, width) in enumerate(itertools.pairwise(job.widths))
        ]
        products += layers * -(-count // block)  # the last block of a set may be a part of one
    return products


def _product(device: Device, groups: int, rows: int, inner: int, columns: int) -> Product:
    """Return the batched product (G, N, D) times (G, D, K), all in C order, into its own array."""

    def make() -> Any:
        a, b = device.numbers(groups, rows, inner), device.numbers(groups, inner, columns)
        return (a, b, device.xp.empty((groups, rows, columns), a.dtype))

    a, b, out = device.kept(("product", groups, rows, inner, columns), make)
    return lambda: device.xp.matmul(a, b, out=out)


def prepare_update(job: Job, replicas: list[Replica], device: Device) -> Run:
    """Read and write every weight and its velocity once per step."""
    size = len(replicas) * sum(fan_in * width for fan_in, width in itertools.pairwise(job.widths))
    weights, velocity, update = device.numbers(size), device.numbers(size), _update(device)

    def run() -> Values:
        for _ in range(job.round):
            update(np.float32(job.momentum), weights, velocity)
        return {}

    return run


def _update(device: Device) -> Callable[..., None]:
    """Return the update (momentum, weights, velocity) in place, a single kernel on a GPU."""
    if device.rehearsal:

        def by_numpy(momentum: np.float32, weights: Any, velocity: Any) -> None:
            velocity *= momentum
            weights += velocity

        return by_numpy
    return device.xp.ElementwiseKernel("float32 momentum", "float32 w, float32 v", "v *= momentum; w += v", "update")
