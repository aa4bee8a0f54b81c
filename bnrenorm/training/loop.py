"""The training loop. It touches no disk: it yields records, and its state can be resumed by another process."""

import math
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines import device as devices
from bnrenorm.engines.select import make_engine
from bnrenorm.network.mlp import MLP
from bnrenorm.training.early_stopping import EarlyStopping
from bnrenorm.training.records import Record
from bnrenorm.training.state import State

CALL_SECONDS = 0.5
"""Longest time of one call of `Engine.advance`, so that an interrupt is answered soon."""


def _with_device(method: Callable[..., Any]) -> Callable[..., Any]:
    """Have a method of `Training` use its device, whatever the current device of the calling thread is.

    NumPy does not warn of replicas that diverge.
    """

    @wraps(method)
    def wrapped(self: "Training", *arguments: Any, **options: Any) -> Any:
        quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
        with devices.faults(self.device), devices.using(self.device), quiet:
            return method(self, *arguments, **options)

    return wrapped


class Training:
    """Training of a group of trials. Iterating takes steps, for about half a second at a time.

    Each iteration yields a `Record` if one is due, otherwise None. It ends early once all replicas have diverged or
    stopped; with early stopping each is left at its best record. `state_dict` may be called in between. Everything may
    be called from any thread, and raises DeviceError for a GPU that fails, OutOfMemory for one that is full.
    """

    def __init__(
        self,
        trials: list[Trial],
        data: Dataset,
        *,
        engine: str = "chainer",
        device: str = "cpu",
        network: MLP | None = None,
    ):
        self.trials, self.settings, self.device = trials, trials[0].settings, device
        with devices.faults(device), devices.using(device):
            self.engine = make_engine(engine, trials, data, device, network)
        self.early_stopping = EarlyStopping(trials) if self.settings.training.early_stopping else None
        images = len(data.labels("train")) - self.settings.data.validation
        self.per_epoch = self.settings.training.batch.steps_per_epoch(images)
        self.total = int(self.settings.training.steps.amount)
        self.every = int(self.settings.evaluation.every.amount)
        self.step, self.steps_per_call = 0, 1
        self._done = np.zeros(len(trials), bool)  # replicas that have diverged or stopped

    def __iter__(self) -> Iterator[Record | None]:
        if self.step == 0 and self.settings.evaluation.training_set:
            yield self._record()
        while self.step < self.total and not self._done.all():
            to_record = min(self.every - self.step % self.every, self.total - self.step)
            steps = min(to_record, self.steps_per_call)
            yield self._advance(steps, record=steps == to_record)
        if self.early_stopping is not None:
            self._rewind()

    def records(self) -> Iterator[Record]:
        """Train, and yield the records alone."""
        return (record for record in self if record is not None)

    def rehearse(self, *, steps: int = 1, record: bool = True) -> None:
        """Take steps, to measure how long they take. The training must not be used for results afterwards."""
        self._advance(steps, record=record)

    @_with_device
    def _rewind(self) -> None:
        self.engine.replicas.rewind_to_best()
        self.engine.reload()

    @_with_device
    def _advance(self, steps: int, *, record: bool) -> Record | None:
        started = time.perf_counter()
        self.engine.advance(self.step, steps, observe=record)
        self.step += steps
        if record:
            return self._record()
        seconds = time.perf_counter() - started
        self.steps_per_call = max(1, min(2 * steps, int(steps * CALL_SECONDS / seconds)))
        return None

    @_with_device
    def _record(self) -> Record:
        """Evaluate the replicas, and mark those that have diverged or stopped as idle."""
        replicas = self.engine.replicas
        loss, accuracy = replicas.training_means()
        alive = np.isfinite(loss)
        values = {"train_loss": loss, "train_accuracy": accuracy, **self.engine.evaluate()}
        values = {name: np.where(self._done, math.nan, value) for name, value in values.items()}  # for good
        penalty = replicas.penalty()
        for name in (name for name in values if name.endswith("_loss")):
            values[name] = values[name] + penalty
        if self.step:  # initial weights with an infinite loss are trained all the same
            alive &= np.isfinite(values["train_loss"])
        values["train_loss"] = np.where(alive, values["train_loss"], math.nan)
        for name in (name for name in values if name.endswith("_accuracy")):
            finite = np.isfinite(values[name.replace("_accuracy", "_loss")])
            values[name] = np.where(finite, values[name], math.nan)
        diagnosis = self.engine.diagnosis()
        if diagnosis:
            diagnosis |= replicas.affine_means()
        measured = np.isfinite(values["train_loss"])
        diagnosis = {name: np.where(measured, value, math.nan) for name, value in diagnosis.items()}
        self._done = ~alive
        if self.early_stopping is not None:
            if self.step:  # untrained weights are no result, even where no later ones are better
                replicas.keep_best(self.early_stopping.update(values))
            diagnosis["stopped"] = self.early_stopping.stopped.astype(np.float64)
            self._done |= self.early_stopping.stopped
        self.engine.idle = self._done
        # 0.0 instead of -0.0, whose sign depends on companions
        values, diagnosis = ({name: value + 0.0 for name, value in group.items()} for group in (values, diagnosis))
        return Record(self.step, self.step / self.per_epoch, values, diagnosis)

    @_with_device
    def state_dict(self) -> State:
        """Return everything that is needed to resume, as arrays on the host."""
        stopping = self.early_stopping.state_dict() if self.early_stopping else {}
        own = {"step": np.array(self.step), "done": self._done.copy(), **stopping}
        return {**own, **self.engine.replicas.state_dict()}

    @_with_device
    def load_state_dict(self, state: State) -> None:
        """Resume from a `state_dict` of the same trials. Raises ValueError for one of other trials."""
        own = {"step", "done", "best_value", "best_waited"}
        if (own & state.keys()) != (own if self.early_stopping else {"step", "done"}):
            raise ValueError("the state is of another group of trials")
        if state["step"].shape or not 0 <= state["step"] <= self.total:
            raise ValueError(f"the state is of no step of this training: {state['step']}")
        self.engine.replicas.load_state_dict({key: value for key, value in state.items() if key not in own})
        self.engine.reload()
        self.step, self._done = int(state["step"]), state["done"].astype(bool)
        self.engine.idle = self._done
        if self.early_stopping is not None:
            self.early_stopping.load_state_dict(state)

    @_with_device
    def parameters(self) -> list[State]:
        """Return each replica's parameters and running statistics; empty unless `evaluation.parameters` is set."""
        if not self.settings.evaluation.parameters:
            return [{} for _ in self.trials]
        return self.engine.replicas.parameters()
