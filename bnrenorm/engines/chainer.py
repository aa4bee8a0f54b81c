"""The Chainer engine: a plain Chain, Functions, an optimizer and `chainer.config.train`. It trains every network.

It is the specification: the tests compare all other engines with it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bnrenorm._compat import F, chainer
from bnrenorm.engines import evaluate
from bnrenorm.engines.device import synchronize
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.mode_gap import ModeGap
from bnrenorm.engines.replicas import Replicas, all_to_host
from bnrenorm.network.losses import mean_loss

Array = Any

_INDICES = 2**18  # images of the minibatches whose indices are drawn, and copied to the device, at a time


class ChainerEngine:
    """Trains a group with Chainer's graph, on a CPU or a GPU: see `engine.Engine`."""

    def __init__(self, replicas: Replicas, inputs: Inputs):
        self.replicas, self.inputs, self.network = replicas, inputs, replicas.network
        self.mode_gap = ModeGap(replicas.network, inputs, replicas.trials)
        self.idle = np.zeros(len(replicas.trials), bool)
        self.observed: dict[str, Array] = {}
        self.seeds = list(dict.fromkeys(trial.seed for trial in replicas.trials))
        self.column = self.network.xp.asarray([self.seeds.index(trial.seed) for trial in replicas.trials])

    def reload(self) -> None:
        """Mark all replicas active: `Engine.reload`."""
        self.idle = np.zeros(len(self.replicas.trials), bool)

    def advance(self, first: int, steps: int, *, observe: bool) -> None:
        """Take steps: `Engine.advance`."""
        for step, (images, labels) in enumerate(self._batches(first, steps), start=first):
            self._step(images, labels, step, observe=observe and step == first + steps - 1)
        synchronize(self.replicas.device)

    def _step(self, images: Array, labels: Array, step: int, *, observe: bool) -> None:
        self.network.step = step
        for norm in self.network.batch_norms:
            norm.observing = observe
        with chainer.using_config("train", True):
            logits = self.network(images)
            loss = mean_loss(logits, labels, *self.network.objective)
            self.network.cleargrads()
            F.sum(loss).backward()  # replicas share no parameters: each gets the gradient of its own loss
        if observe:
            self.observed = {**self.mode_gap.measure(logits.array, step), **self._normalisation()}
        self.replicas.optimizer.update()
        self.replicas.average.update()
        self.replicas.sums[:, 0] += loss.array
        self.replicas.sums[:, 1] += evaluate.accuracy(logits.array, labels)
        self.replicas.since += 1

    def _batches(self, first: int, steps: int) -> Iterator[tuple[Array, Array]]:
        """Yield images (R, N, D) and labels (R, N) of every step, or (N, D) and (N,) if all replicas share them."""
        inputs = self.inputs
        if inputs.batch.kind == "full":
            for _ in range(steps):
                yield inputs.images, inputs.labels
            return
        span = max(1, _INDICES // (len(self.seeds) * inputs.sampler.size))
        for begin in range(first, first + steps, span):
            table, counts = inputs.sampler.table(self.seeds, begin, min(span, first + steps - begin))
            for drawn, count in zip(self.network.xp.asarray(table), counts, strict=True):
                indices = drawn[:, :count] if len(self.seeds) == len(self.column) else drawn[self.column, :count]
                yield inputs.images[indices], inputs.labels[indices]

    def _normalisation(self) -> dict[str, Array]:
        return {
            f"layer{depth}_{name}": value
            for depth, norm in enumerate(self.network.batch_norms, start=1)
            for name, value in norm.diagnosis.items()
        }

    def evaluate(self) -> dict[str, np.ndarray]:
        """Return loss and accuracy of every evaluated set: `Engine.evaluate`."""
        values: dict[str, Array] = {}
        kind = self.replicas.settings.evaluation.statistics
        with self.replicas.average.in_place(), evaluate.statistics(self.network, kind, self.inputs.images):
            for name, (images, labels) in self.inputs.eval_sets.items():
                loss, accuracy = evaluate.measure(self.network, images, labels)
                values |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        return all_to_host(values)

    def diagnosis(self) -> dict[str, np.ndarray]:
        """Return what the normalisation did at the observed step: `Engine.diagnosis`."""
        return all_to_host(self.observed)
