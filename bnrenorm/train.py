"""The training loop. Touches no disk: it yields records, and a state that another process can go on from."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bnrenorm import device, evaluate, model, optimizers, snapshot
from bnrenorm._compat import F, chainer
from bnrenorm.config import Trial
from bnrenorm.data import scaling
from bnrenorm.data.dataset import Dataset
from bnrenorm.data.sampling import Sampler
from bnrenorm.fused.sorts import sorts
from bnrenorm.gap import IMAGES, Gap
from bnrenorm.losses import penalty
from bnrenorm.stopping import Best

Array = Any

MOST = 0.5  # seconds that fused kernels may take at a time: an interrupt waits no longer


@dataclass(frozen=True)
class Record:
    """What R replicas had reached after `step` steps; every value is float64 (R,), losses in nats, accuracies in 0..1.

    `values`: train_loss and train_accuracy are means over the steps since the last record, of each step's own forward
    pass, before its update; test_loss and test_accuracy (and validation_...) come after it. `diagnosis`: what the
    normalisation did at the step, by layer ("layer1_r_50": `norm.diagnosis`), and training_mode_accuracy and
    inference_mode_accuracy on the same training images (`gap`). A replica whose training loss is no longer finite has
    diverged; its later records, and those of one that has stopped early, mean nothing.
    """

    step: int
    epoch: float
    values: dict[str, np.ndarray]
    diagnosis: dict[str, np.ndarray] = field(default_factory=dict)


def train(trials: list[Trial], data: Dataset, *, on: str = "cpu", kernels: str = device.FORMULAS) -> Iterator[Record]:
    """Train the replicas of one structure side by side, and yield a record whenever one is due."""
    for record in Training(trials, data, on=on, kernels=kernels):
        if record is not None:
            yield record


class Training:
    """A group of trials in training: iterate over it, and it takes a step, or with fused kernels about half a second.

    It yields a `Record` where one is due, and None elsewhere. `state` may be called in between.
    """

    def __init__(
        self,
        trials: list[Trial],
        data: Dataset,
        *,
        on: str = "cpu",
        kernels: str = device.FORMULAS,
        network: model.Perceptron | None = None,
    ):
        settings = trials[0].settings
        self.trials, self.settings, self.where = trials, settings, device.resident(on)
        learning, validation = data.split(settings.data.validation)
        self.scale = scaling.fit(settings.data.scaling, settings.data.scaling_axis, learning[0])
        self.network = network or model.build(trials, data.inputs)
        self.network.to_device(self.where)
        self.optimizer = optimizers.make(self.network, trials, self.where)
        self.images, self.labels = self._send(learning)
        self.judges = {"test": self._send((data.scaled("test"), data.labels("test")))}
        if settings.data.validation:
            self.judges["validation"] = self._send(validation)
        if settings.evaluation.training_set:
            self.judges["train"] = (self.images, self.labels)
        self.sampler = Sampler(settings.training.batch, learning[1])
        self.gap = Gap(self.network, self.sampler, self.images, self.labels, trials)
        self.per_epoch = settings.training.batch.steps_per_epoch(len(learning[1]))
        self.average = evaluate.Average(self.network, [trial.settings.evaluation.average for trial in trials])
        self.best = Best(self.network, trials, self.average.arrays) if settings.training.early_stopping else None
        self.engine = self._engine() if kernels == device.FUSED and sorts(settings) else None
        self.patience = 1  # steps that fused kernels take at a time
        self.step, self.since = 0, 0  # steps taken, and those since the last record
        self.sums = self.network.xp.zeros((2, len(trials)))  # of training loss and accuracy since then

    def _send(self, arrays: tuple[np.ndarray, np.ndarray]) -> tuple[Array, Array]:
        return self.where.send(self.scale(arrays[0])), self.where.send(arrays[1])

    def __iter__(self) -> Iterator[Record | None]:
        total = int(self.settings.training.steps.amount)
        every = int(self.settings.evaluation.every.amount)
        if self.step == 0 and self.settings.evaluation.training_set:
            yield self._judge({})
        while self.step < total and not self._stopped():
            left = min(every - self.step % every, total - self.step)  # until the next record
            steps = min(left, self.patience)
            # A replica that diverges overflows; the others must not hear of it.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                diagnosis = self._advance(steps, observing=steps == left)
                record = self._judge(diagnosis) if steps == left else None
            yield record
        self._go_back()

    def rehearse(self, *, steps: int = 1, record: bool = True) -> None:
        """Take steps and judge the network, to see how long that takes; not for a training that is to be kept."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            diagnosis = self._advance(steps, observing=record)
            if record:
                self._judge(diagnosis)

    def _advance(self, steps: int, *, observing: bool) -> dict[str, Array]:
        """Take steps; returns what was seen of the normalisation in the last of them, if anything was to be."""
        if self.engine is None:
            seen = {}
            for last in range(steps - 1, -1, -1):
                seen = self._learn(observing=observing and not last)
                self.step += 1
            return seen
        started = time.perf_counter()
        with chainer.using_config("train", True):
            self._run(self.engine, steps - observing)
            if not observing:
                if steps == self.patience:
                    self.patience = max(1, min(2 * steps, int(steps * MOST / (time.perf_counter() - started))))
                return {}
            self.engine.store()
            self._run(self.engine, 1)
        # The network still has the weights from before the step.
        self.network.step = self.step - 1
        with self.engine.one_blas_thread():
            gap = self.gap.measure(np.stack(self.engine.logits), self.step - 1)
        return {**gap, **self.engine.diagnosis()}

    def _run(self, engine: Any, steps: int) -> None:
        if steps:
            self.sums += engine.advance(self.sampler, self.step, steps)
            self.step += steps
            self.since += steps

    def _engine(self) -> Any:
        from bnrenorm.fused.engine import Engine  # numba takes its time, and not everybody wants it

        return Engine(self.trials, self.network, self.average.arrays, self.images, self.labels, IMAGES)

    def _learn(self, *, observing: bool) -> dict[str, Array]:
        """Take one step; returns what was seen of the normalisation on the way, if anything was to be."""
        images, labels = self._batch()
        self.network.step = self.step
        for norm in self.network.batch_norms:
            norm.observing = observing
        with chainer.using_config("train", True):
            logits = self.network(images)
            loss, accuracy = evaluate.loss_and_accuracy(logits, labels, *self.network.objective)
            self.network.cleargrads()
            F.sum(loss).backward()  # replicas share no parameter, so each gets the gradient of its own loss
        seen = {**self.gap.measure(logits.array, self.step), **self._seen()} if observing else {}
        self.optimizer.update()
        self.average.update()
        self.sums[0] += loss.array
        self.sums[1] += accuracy
        self.since += 1
        return seen

    def _batch(self) -> tuple[Array, Array]:
        """Draw the step's images, (N, D) if all replicas share them or (R, N, D), and their labels."""
        if self.settings.training.batch.kind == "full":
            return self.images, self.labels
        drawn = {seed: self.sampler.indices(seed, self.step) for seed in {trial.seed for trial in self.trials}}
        indices = self.network.xp.asarray(np.stack([drawn[trial.seed] for trial in self.trials]))
        return self.images[indices], self.labels[indices]

    def _seen(self) -> dict[str, Array]:
        return {
            f"layer{depth}_{name}": value
            for depth, norm in enumerate(self.network.batch_norms, start=1)
            for name, value in norm.diagnosis.items()
        }

    def _judge(self, diagnosis: dict[str, Array]) -> Record:
        since = max(self.since, 1)
        values: dict[str, Array] = {"train_loss": self.sums[0] / since, "train_accuracy": self.sums[1] / since}
        alive = np.isfinite(_to_host(self.sums[0]))
        self.sums[...], self.since = 0, 0
        if self.engine is not None:
            self.engine.store()
        statistics = self.settings.evaluation.statistics
        with (
            self.network.parameters_in_place(self.average.arrays),
            evaluate.judged_by(self.network, statistics, self.images),
        ):
            for name, (images, labels) in self.judges.items():
                values[f"{name}_loss"], values[f"{name}_accuracy"] = self._measure(images, labels)
            extra = penalty(self.network, self.trials) if self.settings.evaluation.penalty else 0
        host = {key: _to_host(value) for key, value in values.items()}
        for name in (name for name in host if name.endswith("_loss")):
            host[name] = host[name] + extra
        host["train_loss"] = np.where(alive, host["train_loss"], np.nan)  # a step since the last record diverged
        seen = {key: _to_host(value) for key, value in diagnosis.items()}
        for depth, norm in enumerate(self.network.batch_norms if diagnosis else [], start=1):
            for name, parameter in norm.affine.namedparams():
                seen[f"layer{depth}_{name[1:]}"] = _to_host(parameter.array.mean(axis=(1, 2)))
        if self.best is not None:
            self.best.see(host)
            seen["stopped"] = self.best.stopped.astype(np.float64)
        if self.engine is not None:
            self.engine.idle = ~alive | (seen.get("stopped", 0) > 0)
        return Record(self.step, self.step / self.per_epoch, host, seen)

    def _measure(self, images: Array, labels: Array) -> tuple[Array, Array]:
        if self.engine is None:
            return evaluate.measure(self.network, images, labels)
        return self.engine.judge(images, labels, by_batch=self.settings.evaluation.statistics == "batch")

    def _stopped(self) -> bool:
        return self.best is not None and bool(self.best.stopped.all())

    def _go_back(self) -> None:
        """Take the best weights, where training was to stop early."""
        if self.best is not None:
            if self.engine is not None:
                self.engine.store()
            self.best.restore()
            if self.engine is not None:
                self.engine.load()

    def state(self) -> dict[str, np.ndarray]:
        """Return all that a resume needs, as arrays on the host: exactly what `restore` takes."""
        if self.engine is not None:
            self.engine.store()
        return snapshot.take(self)

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a `state` of the same trials. Raises ValueError if it is not one."""
        snapshot.put(self, state)
        if self.engine is not None:
            self.engine.load()

    def parameters(self) -> list[dict[str, np.ndarray]]:
        """Return every replica's weights, biases, gamma and beta by name, where they are to be kept."""
        if not self.settings.evaluation.parameters:
            return [{} for _ in self.trials]
        if self.engine is not None:
            self.engine.store()
        return snapshot.by_replica(self.network, len(self.trials))


def _to_host(value: Array) -> np.ndarray:
    return chainer.cuda.to_cpu(value).astype(np.float64)
