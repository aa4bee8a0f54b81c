"""The floor: the unavoidable part of a step, matrix products by OpenBLAS or one pass over the weights."""

import itertools
import time
from collections.abc import Callable, Iterator

import numba
import numpy as np

from benchmarks import data
from benchmarks.jobs import Job, Replica
from benchmarks.peers import Run, Values

Product = Callable[[], object]

_SMALL = 10_000_000  # elements; larger arrays are not tried in the other memory order


def prepare_products(job: Job, replicas: list[Replica]) -> Run:
    """Compute the matrix products of the steps and of the evaluation after them, into preallocated arrays."""
    del replicas  # every replica has the same products
    images, _ = data.images("train_set")
    batch = images if job.full else images[data.batches(job, 0)[0]]
    weights = [data.weights(job, layer, 0) for layer in range(len(job.widths) - 1)]
    steps = _step(batch, weights)
    evaluation = [
        product for name in job.eval_sets for block, _ in data.blocks(job, name) for product in _forward(block, weights)
    ]

    def run() -> Values:
        for _ in range(job.round):
            for product in steps:
                product()
        for product in evaluation:
            product()
        return {}

    return run


def _forward(x: np.ndarray, weights: list[np.ndarray]) -> list[Product]:
    inputs = [x, *(np.ones((len(x), len(w)), np.float32) for w in weights)]
    return [_fastest(rows, w.T) for rows, w in zip(inputs, weights, strict=False)]


def _step(x: np.ndarray, weights: list[np.ndarray]) -> list[Product]:
    """Return the products of the forward pass, then of the gradients of weights and (above layer 0) inputs."""
    backward = []
    for layer, w in enumerate(weights):
        width, fan_in = w.shape
        gy = np.ones((len(x), width), np.float32)
        backward.append(_fastest(gy.T, np.ones((len(x), fan_in), np.float32) if layer else x))
        if layer:
            backward.append(_fastest(gy, w))
    return [*_forward(x, weights), *backward]


def _fastest(a: np.ndarray, b: np.ndarray) -> Product:
    """Return the product a b in the memory layout that is fastest on this machine, into its own array."""
    return min(_layouts(a, b), key=_seconds)


def _layouts(a: np.ndarray, b: np.ndarray) -> Iterator[Product]:
    for left, right in itertools.product(_orders(a), _orders(b)):
        for first, second in ((left, right), (right.T, left.T)):
            out = np.zeros((len(first), second.shape[1]), np.float32)
            yield lambda first=first, second=second, out=out: np.matmul(first, second, out=out)


def _orders(a: np.ndarray) -> list[np.ndarray]:
    """Return a matrix in its memory order and, unless it is large, in the other one."""
    return [a] if a.size > _SMALL else [a, np.asarray(a, order="C" if a.flags.f_contiguous else "F")]


def _seconds(product: Product) -> float:
    product()
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        product()
        taken.append(time.perf_counter() - started)
    return min(taken)


def prepare_update(job: Job, replicas: list[Replica]) -> Run:
    """Read and write every weight and its velocity once per step."""
    del replicas
    size = sum(fan_in * width for fan_in, width in itertools.pairwise(job.widths))
    weights, velocity = np.ones((2, size), np.float32)

    def run() -> Values:
        for _ in range(job.round):
            _update(weights, velocity, np.float32(1), np.float32(1e-9))  # a momentum below 1 would end in denormals
        return {}

    return run


@numba.njit
def _update(weights, velocity, momentum, rate):
    for i in range(len(weights)):
        velocity[i] = momentum * velocity[i] - rate
        weights[i] += velocity[i]
