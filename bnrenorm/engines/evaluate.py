"""Evaluation of a network without changing it, with a choice of statistics for the normalisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.network.losses import mean_loss
from bnrenorm.network.mlp import MLP
from bnrenorm.norm import formulas
from bnrenorm.norm.links import StackedNormalization

Array = Any

ROWS, GPU_ROWS = 2_000, 250
"""Images per forward pass, where the statistics do not need the whole set at once; on a GPU as few as the second."""

GPU_BYTES = 2**28
"""Bytes that the activations of such a pass may take on a GPU, as long as it has more than the fewest images."""


def accuracy(logits: Array, labels: Array) -> Array:
    """Return the accuracy, (R,) fractions: logits (R, N, C); labels (N,) shared by all replicas, or (R, N)."""
    return (logits.argmax(axis=2) == labels).mean(axis=1)


def activations(widths: tuple[int, ...], *, drops: bool) -> int:
    """Return the numbers that a forward pass without a graph holds at a time, for an image and replica.

    widths: of the inputs, the hidden layers and the outputs; drops: whether dropout changes the inputs in inference.
    """
    inputs, *hidden, outputs = widths
    return 3 * max(hidden) + 2 * outputs + drops * inputs


def rows_per_pass(network: MLP) -> int:
    """Return the number of images that go through a network together.

    A CPU's numbers depend on it, and it is always the same there. A GPU takes fewer the more replicas there are, whose
    activations it holds all at once.
    """
    if network.xp is np:
        return ROWS
    replicas, _, inputs = network.linears[0].W.shape
    widths = (inputs, *(linear.W.shape[1] for linear in network.linears))
    size = 4 * replicas * activations(widths, drops=network.dropout.drops)
    return min(ROWS, max(GPU_ROWS, GPU_BYTES // size))


@contextmanager
def inference() -> Iterator[None]:
    """Context with chainer.config.train False and without a computational graph."""
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        yield


@contextmanager
def statistics(network: MLP, kind: str, images: Array) -> Iterator[None]:
    """Context in which inference mode normalises by "running", "batch" or "population" statistics.

    "population" statistics are recomputed over `images` (N, D). Afterwards the network's state is restored exactly.
    """
    links = network.batch_norms
    originals = [(link.run_mean.copy(), link.run_scale.copy()) for link in links]
    try:
        for link in links:
            link.use_batch_statistics = kind == "batch"
        if kind == "population":
            with inference():
                _set_population(network, links, images)
        yield
    finally:
        for link, (run_mean, run_scale) in zip(links, originals, strict=True):
            link.use_batch_statistics = False
            link.run_mean[...], link.run_scale[...] = run_mean, run_scale


def _set_population(network: MLP, links: list[StackedNormalization], images: Array) -> None:
    """Set the running statistics to those of the images, layer by layer: a layer's inputs depend on those before it."""
    rows = rows_per_pass(network)
    for depth, link in enumerate(links):
        count, mean, squares = 0, 0, 0
        for start in range(0, len(images), rows):
            inputs = network.before_norm(images[start : start + rows], depth).array
            n = inputs.shape[1]
            chunk_mean, chunk_var = formulas.moments(inputs)
            distance = chunk_mean - mean  # merges moments without cancellation [Chan, Golub and LeVeque 1979]
            squares = squares + chunk_var * n + distance * distance * (count * n / (count + n))
            mean = mean + distance * (n / (count + n))
            count += n
        link.run_mean[...], link.run_scale[...] = mean, link.scale(squares / count, count)


def measure(network: MLP, images: Array, labels: Array) -> tuple[Array, Array]:
    """Return mean loss and accuracy, float64 (R,) each, of images (N, D) with labels (N,) in inference mode."""
    use_batch_statistics = any(norm.use_batch_statistics for norm in network.batch_norms)
    rows = len(images) if use_batch_statistics else rows_per_pass(network)
    sums: tuple[Any, Any] = (0, 0)
    with inference():
        for start in range(0, len(images), rows):
            chunk = labels[start : start + rows]
            logits = network(images[start : start + rows])
            loss = mean_loss(logits, chunk, *network.objective).array.astype(np.float64)
            sums = sums[0] + loss * len(chunk), sums[1] + accuracy(logits.array, chunk) * len(chunk)
    return sums[0] / len(images), sums[1] / len(images)
