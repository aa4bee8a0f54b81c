"""Accuracy in training mode and in inference mode on the same images: BRN aims to close the gap between them."""

from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.config import Trial
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines import evaluate
from bnrenorm.engines.inputs import Inputs
from bnrenorm.network.mlp import MLP

Array = Any

IMAGES = 200  # roughly: whole batches of the regime. More would cost over 5 % of the training time


def next_batches(sampler: Sampler, seeds: list[int], step: int, micro_batch: int) -> np.ndarray:
    """Return the indices (S, N) of about IMAGES images of each seed: the batches behind that of a step.

    An epoch's last batch may be smaller, and not of whole micro-batches: it is left out.
    """
    table, counts = sampler.table(seeds, step + 1, -(-IMAGES // sampler.size))
    is_drawn = np.arange(sampler.size) < np.where(counts % micro_batch, 0, counts)[:, None]
    return np.ascontiguousarray(table.swapaxes(0, 1)[:, is_drawn])


class ModeGap:
    """Measures both accuracies on about 200 training images, with the same weights and without changing anything.

    If a batch has at least that many images, its first ones are used, as their logits in training mode are known.
    Otherwise the next batches are drawn and go through the network together, each normalised by itself as in training,
    within the limits of the step.
    """

    def __init__(self, network: MLP, inputs: Inputs, trials: list[Trial]):
        self.network, self.inputs, self.sampler = network, inputs, inputs.sampler
        self.micro_batch = trials[0].settings.training.micro_batch or self.sampler.size
        seeds, self.column = np.unique([trial.seed for trial in trials], return_inverse=True)
        self.seeds = seeds.tolist()

    def measure(self, logits: Array, step: int) -> dict[str, Array]:
        """Return training_mode_accuracy and inference_mode_accuracy, (R,) each; empty without batch statistics.

        logits (R, N, C) are those of the training step.
        """
        if not self.network.batch_norms:
            return {}
        indices = self._indices(step)
        images, labels = self.inputs.images[indices], self.inputs.labels[indices]
        if self.sampler.size >= IMAGES:
            training = evaluate.accuracy(logits[:, :IMAGES], labels)
        else:
            training = self._in_training_mode(images, labels, step)
        with evaluate.inference():
            inference = evaluate.accuracy(self.network(images).array, labels)
        return {"training_mode_accuracy": training, "inference_mode_accuracy": inference}

    def _indices(self, step: int) -> Array:
        """Return the indices of the images, (R, N), or (N,) if all replicas share them."""
        xp = self.network.xp
        if self.inputs.batch.kind == "full":
            return xp.arange(min(IMAGES, self.sampler.size))
        if self.sampler.size < IMAGES:
            drawn = next_batches(self.sampler, self.seeds, step, self.micro_batch)
        else:
            table, counts = self.sampler.table(self.seeds, step, 1)
            drawn = table[0, :, : min(counts[0], IMAGES)]
        return xp.asarray(drawn[self.column])

    def _in_training_mode(self, images: Array, labels: Array, step: int) -> Array:
        """Return the accuracy (R,) in training mode, with frozen running statistics."""
        norms = self.network.batch_norms
        originals = [(norm.micro_batch, norm.frozen, norm.observing, norm.step) for norm in norms]
        try:
            for norm in norms:
                norm.micro_batch, norm.frozen, norm.observing, norm.step = self.micro_batch, True, False, step
            with chainer.using_config("train", True), chainer.no_backprop_mode():
                return evaluate.accuracy(self.network(images).array, labels)
        finally:
            for norm, original in zip(norms, originals, strict=True):
                norm.micro_batch, norm.frozen, norm.observing, norm.step = original
