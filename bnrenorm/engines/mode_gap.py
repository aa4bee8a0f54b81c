"""Accuracy in training mode against inference mode on the same images: the gap that renormalisation is to close."""

from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.config import Trial
from bnrenorm.engines import evaluate
from bnrenorm.engines.inputs import Inputs
from bnrenorm.network.mlp import MLP

Array = Any

IMAGES = 200  # about: whole batches of the regime; more cost more than a twentieth of the time


class ModeGap:
    """Measures both modes on about 200 training images, with the same weights, changing nothing.

    A batch of that many images or more is its own probe: its first images were already seen in training mode. Of
    smaller batches the next ones are taken and normalised side by side, each within itself, as in training.
    """

    def __init__(self, network: MLP, inputs: Inputs, trials: list[Trial]):
        self.network, self.trials = network, trials
        self.sampler, self.images, self.labels = inputs.sampler, inputs.images, inputs.labels
        self.batch = trials[0].settings.training.batch
        self.size = len(self.images) if self.batch.kind == "full" else self.batch.size
        self.micro_batch = trials[0].settings.training.micro_batch or self.size

    def measure(self, logits: Array, step: int) -> dict[str, Array]:
        """Return training_mode_accuracy and inference_mode_accuracy, (R,) each; logits are those of the step."""
        if not self.network.batch_norms:
            return {}
        indices = self._indices(step)
        images, labels = self.images[indices], self.labels[indices]
        if self.size >= IMAGES:
            right = (logits[:, :IMAGES].argmax(axis=2) == labels).mean(axis=1)
        else:
            right = self._in_training_mode(images, labels)
        with evaluate.inference():
            calm = evaluate.loss_and_accuracy(self.network(images), labels)[1]
        return {"training_mode_accuracy": right, "inference_mode_accuracy": calm}

    def _indices(self, step: int) -> Array:
        """Choose the images, (R, N), or (N,) if all replicas share them."""
        xp = self.network.xp
        if self.batch.kind == "full":
            return xp.arange(min(IMAGES, self.size))
        steps = [step] if self.size >= IMAGES else [step + 1 + i for i in range(-(-IMAGES // self.size))]
        seeds = {trial.seed for trial in self.trials}
        drawn = {seed: np.concatenate([self.sampler.indices(seed, each) for each in steps]) for seed in seeds}
        fewest = min(map(len, drawn.values())) // self.micro_batch * self.micro_batch
        limit = IMAGES if self.size >= IMAGES else fewest
        return xp.asarray(np.stack([drawn[trial.seed][:limit] for trial in self.trials]))

    def _in_training_mode(self, images: Array, labels: Array) -> Array:
        norms = self.network.batch_norms
        kept = [(norm.micro_batch, norm.frozen, norm.observing) for norm in norms]
        try:
            for norm in norms:
                norm.micro_batch, norm.frozen, norm.observing = self.micro_batch, True, False
            with chainer.using_config("train", True), chainer.no_backprop_mode():
                return evaluate.loss_and_accuracy(self.network(images), labels)[1]
        finally:
            for norm, (micro_batch, frozen, observing) in zip(norms, kept, strict=True):
                norm.micro_batch, norm.frozen, norm.observing = micro_batch, frozen, observing
