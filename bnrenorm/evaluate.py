"""Judging a network without changing it: which weights, which statistics, which images."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.losses import mean_loss
from bnrenorm.model import Perceptron
from bnrenorm.norm import formulas
from bnrenorm.norm.links import StackedNormalization

Array = Any

ROWS = 2_000
"""Images that go through the network at a time, where they need not all be seen at once."""


def loss_and_accuracy(
    logits: Any, labels: Array, output: str = "softmax", loss: str = "cross_entropy"
) -> tuple[Any, Array]:
    """Mean loss (`losses.mean_loss`), a Variable (R,), and share of right answers, an array (R,).

    logits are (R, N, C), labels (N,) for all replicas or (R, N).
    """
    return mean_loss(logits, labels, output, loss), (logits.array.argmax(axis=2) == labels).mean(axis=1)


@contextmanager
def inference() -> Iterator[None]:
    """Run with chainer.config.train off and no graph."""
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        yield


@contextmanager
def judged_by(network: Perceptron, statistics: str, images: Array) -> Iterator[None]:
    """Normalise by "running", "batch" or "population" statistics, the last recomputed over these images (N, D).

    Everything is as it was afterwards, to the bit.
    """
    links = network.batch_norms
    kept = [(link.run_mean.copy(), link.run_scale.copy()) for link in links]
    try:
        for link in links:
            link.by_batch = statistics == "batch"
        if statistics == "population":
            with inference():
                _set_population(network, links, images)
        yield
    finally:
        for link, (run_mean, run_scale) in zip(links, kept, strict=True):
            link.by_batch = False
            link.run_mean[...], link.run_scale[...] = run_mean, run_scale


def _set_population(network: Perceptron, links: list[StackedNormalization], images: Array) -> None:
    """Set the running statistics to those of the images, layer by layer, each fed by the layers before it."""
    for depth, link in enumerate(links):
        count, mean, squares = 0, 0, 0
        for start in range(0, len(images), ROWS):
            inputs = network.before_norm(images[start : start + ROWS], depth).array
            n = inputs.shape[1]
            part_mean, part_var = formulas.moments(inputs)
            apart = part_mean - mean  # Chan, Golub and LeVeque 1979: moments of parts merge without cancellation
            squares = squares + part_var * n + apart * apart * (count * n / (count + n))
            mean = mean + apart * (n / (count + n))
            count += n
        eps = network.xp.asarray(link.eps)
        link.run_mean[...], link.run_scale[...] = mean, link.semantics.keep(squares / count, count, eps)


def measure(network: Perceptron, images: Array, labels: Array) -> tuple[Array, Array]:
    """Mean loss and accuracy, (R,) each, of a set of images (N, D) in inference mode."""
    rows = len(images) if any(norm.by_batch for norm in network.batch_norms) else ROWS
    sums: tuple[Any, Any] = (0, 0)
    with inference():
        for start in range(0, len(images), rows):
            part = labels[start : start + rows]
            loss, accuracy = loss_and_accuracy(network(images[start : start + rows]), part, *network.objective)
            sums = sums[0] + loss.array.astype(np.float64) * len(part), sums[1] + accuracy * len(part)
    return sums[0] / len(images), sums[1] / len(images)


class Average:
    """The moving average of the weights that is judged in their place. [BRN17, sec. 4]

    `decays` has the weight of the old average for each replica, or None throughout: then nothing is averaged.
    """

    def __init__(self, network: Perceptron, decays: list[float | None]):
        self.network = network
        self.arrays: dict[str, Array] = {}
        if decays[0] is not None:
            decay = network.xp.asarray(np.array(decays, np.float32).reshape(-1, 1, 1))
            self.arrays = {name: parameter.array.copy() for name, parameter in network.namedparams()}
            owner = network.replica_of
            self.decays = {name: decay[owner[name], 0, 0] if name in owner else decay for name in self.arrays}

    def update(self) -> None:
        """Take the weights of a new step in."""
        parameters = dict(self.network.namedparams())
        for name, array in self.arrays.items():
            array[...] = formulas.moving_average(array, parameters[name].array, self.decays[name])
