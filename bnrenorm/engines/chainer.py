"""The Chainer engine: a plain Chain, Functions, an optimizer and `chainer.config.train`. It trains every network.

It is the specification: the tests compare all other engines with it.
"""

from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.engines import evaluate
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.mode_gap import ModeGap
from bnrenorm.engines.replicas import Replicas, to_host

Array = Any


class ChainerEngine:
    """Trains a group with Chainer's graph, on a CPU or a GPU: see `engine.Engine`."""

    def __init__(self, replicas: Replicas, inputs: Inputs):
        self.replicas, self.inputs, self.network = replicas, inputs, replicas.network
        self.gap = ModeGap(replicas.network, inputs, replicas.trials)
        self.idle = np.zeros(len(replicas.trials), bool)
        self.observed: dict[str, Array] = {}

    def reload(self) -> None:
        """Mark all replicas active: `Engine.reload`."""
        self.idle = np.zeros(len(self.replicas.trials), bool)

    def advance(self, first: int, steps: int, *, observe: bool) -> None:
        """Take steps: `Engine.advance`."""
        for step in range(first, first + steps):
            self._step(step, observe=observe and step == first + steps - 1)

    def _step(self, step: int, *, observe: bool) -> None:
        images, labels = self._batch(step)
        self.network.step = step
        for norm in self.network.batch_norms:
            norm.observing = observe
        with chainer.using_config("train", True):
            logits = self.network(images)
            loss, accuracy = evaluate.loss_and_accuracy(logits, labels, *self.network.objective)
            self.network.cleargrads()
            F.sum(loss).backward()  # replicas share no parameters: each gets the gradient of its own loss
        if observe:
            self.observed = {**self.gap.measure(logits.array, step), **self._normalisation()}
        self.replicas.optimizer.update()
        self.replicas.average.update()
        self.replicas.sums[:, 0] += loss.array
        self.replicas.sums[:, 1] += accuracy
        self.replicas.since += 1

    def _batch(self, step: int) -> tuple[Array, Array]:
        """Return images (R, N, D) and labels (R, N) of a step, or (N, D) and (N,) if all replicas share them."""
        inputs = self.inputs
        if inputs.batch.kind == "full":
            return inputs.images, inputs.labels
        seeds = [trial.seed for trial in self.replicas.trials]
        drawn = {seed: inputs.sampler.indices(seed, step) for seed in set(seeds)}
        indices = self.network.xp.asarray(np.stack([drawn[seed] for seed in seeds]))
        return inputs.images[indices], inputs.labels[indices]

    def _normalisation(self) -> dict[str, Array]:
        return {
            f"layer{depth}_{name}": value
            for depth, norm in enumerate(self.network.batch_norms, start=1)
            for name, value in norm.diagnosis.items()
        }

    def evaluate(self) -> dict[str, np.ndarray]:
        """Return loss and accuracy of every evaluated set: `Engine.evaluate`."""
        values: dict[str, np.ndarray] = {}
        kind = self.replicas.settings.evaluation.statistics
        with self.replicas.average.in_place(), evaluate.statistics(self.network, kind, self.inputs.images):
            for name, (images, labels) in self.inputs.eval_sets.items():
                loss, accuracy = evaluate.measure(self.network, images, labels)
                values |= {f"{name}_loss": to_host(loss), f"{name}_accuracy": to_host(accuracy)}
        return values

    def diagnosis(self) -> dict[str, np.ndarray]:
        """Return what the normalisation did at the observed step: `Engine.diagnosis`."""
        return {key: to_host(value) for key, value in self.observed.items()}
