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

ROWS = 2_000
"""Images per forward pass, where the statistics do not need the whole set at once."""


def loss_and_accuracy(
    logits: Any, labels: Array, output: str = "softmax", loss: str = "cross_entropy"
) -> tuple[Any, Array]:
    """Return the mean loss (`losses.mean_loss`), a Variable (R,), and the accuracy, an array (R,) of fractions.

    logits: (R, N, C); labels: (N,) shared by all replicas, or (R, N).
    """
    return mean_loss(logits, labels, output, loss), (logits.array.argmax(axis=2) == labels).mean(axis=1)


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
    for depth, link in enumerate(links):
        count, mean, squares = 0, 0, 0
        for start in range(0, len(images), ROWS):
            inputs = network.before_norm(images[start : start + ROWS], depth).array
            n = inputs.shape[1]
            chunk_mean, chunk_var = formulas.moments(inputs)
            distance = chunk_mean - mean  # merges moments without cancellation [Chan, Golub and LeVeque 1979]
            squares = squares + chunk_var * n + distance * distance * (count * n / (count + n))
            mean = mean + distance * (n / (count + n))
            count += n
        link.run_mean[...], link.run_scale[...] = mean, link.scale(squares / count, count)


def measure(network: MLP, images: Array, labels: Array) -> tuple[Array, Array]:
    """Return mean loss and accuracy, float64 (R,) each, of images (N, D) with labels (N,) in inference mode."""
    rows = len(images) if any(norm.use_batch_statistics for norm in network.batch_norms) else ROWS
    sums: tuple[Any, Any] = (0, 0)
    with inference():
        for start in range(0, len(images), rows):
            chunk = labels[start : start + rows]
            loss, accuracy = loss_and_accuracy(network(images[start : start + rows]), chunk, *network.objective)
            sums = sums[0] + loss.array.astype(np.float64) * len(chunk), sums[1] + accuracy * len(chunk)
    return sums[0] / len(images), sums[1] / len(images)
