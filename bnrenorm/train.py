"""The training loop: a generator of records. Touches no disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnrenorm import device, model
from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset

Array = Any


@dataclass(frozen=True)
class Record:
    """What R replicas had reached after `step` steps; arrays are float64 (R,), losses in nats, accuracies in 0..1.

    The training values are those of the step's own forward pass, before its update; the test values come after it.
    A replica whose training loss is no longer finite has diverged; its later records mean nothing.
    """

    step: int
    epoch: float
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_loss: np.ndarray
    test_accuracy: np.ndarray


def train(trials: list[Trial], data: Dataset, *, on: str = "cpu") -> Iterator[Record]:
    """Train the replicas of one structure side by side, and yield a record whenever one is due."""
    yield from train_network(model.build(trials, data.inputs), trials, data, on=on)


def train_network(
    network: model.Perceptron, trials: list[Trial], data: Dataset, *, on: str = "cpu"
) -> Iterator[Record]:
    """Train a network that `model.build` made of these trials, or one with other weights in it."""
    where = device.resident(on)
    network.to_device(where)
    optimizer = _optimizer(trials, where).setup(network)
    images, labels = (where.send(array) for array in (data.scaled("train"), data.labels("train")))
    test_images, test_labels = (where.send(array) for array in (data.scaled("test"), data.labels("test")))
    total = int(trials[0].settings.training.steps.amount)
    every = int(trials[0].settings.evaluation.every.amount)
    for step in range(1, total + 1):
        # A replica that diverges overflows; the others must not hear of it.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            with chainer.using_config("train", True):
                network.cleargrads()
                loss, accuracy = _loss_and_accuracy(network(images), labels)
                F.sum(loss).backward()  # replicas share no parameter, so each gets the gradient of its own loss
                optimizer.update()
            if step % every and step < total:
                continue
            with chainer.using_config("train", False), chainer.no_backprop_mode():
                test_loss, test_accuracy = _loss_and_accuracy(network(test_images), test_labels)
        values = (loss.array, accuracy, test_loss.array, test_accuracy)
        yield Record(step, float(step), *(chainer.cuda.to_cpu(value).astype(np.float64) for value in values))


def _optimizer(trials: list[Trial], where: Any) -> Any:
    """Make Chainer's own optimizer, with hyperparameters (R, 1, 1) that broadcast over parameters (R, ., .)."""

    def vector(name: str) -> Array:
        values = [getattr(trial.settings.training.optimizer, name) for trial in trials]
        return where.send(np.array(values, np.float32).reshape(-1, 1, 1))

    return chainer.optimizers.MomentumSGD(lr=vector("lr"), momentum=vector("momentum"))


def _loss_and_accuracy(logits: Any, labels: Array) -> tuple[Any, Array]:
    """Mean softmax cross entropy, a Variable (R,), and share of right answers, an array (R,), of (R, N, C) logits."""
    replicas, n, classes = logits.shape
    losses = F.softmax_cross_entropy(
        logits.reshape(replicas * n, classes), logits.xp.tile(labels, replicas), reduce="no"
    )
    return F.mean(losses.reshape(replicas, n), axis=1), (logits.array.argmax(axis=2) == labels).mean(axis=1)
