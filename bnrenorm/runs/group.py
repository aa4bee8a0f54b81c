"""Trains one group of trials from its newest checkpoint on, and stores its results."""

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bnrenorm import environment
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines import device as devices
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError, OutOfMemory
from bnrenorm.network import mlp
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.store import Store
from bnrenorm.training.loop import Training
from bnrenorm.training.records import Columns, Record, TrialResults, outcome

SAVE_EVERY = 60.0
"""Seconds between checkpoints of a group."""

Show = Callable[[list[Trial], Record], None]
Note = Callable[[str], None]


@dataclass
class GroupTrainer:
    """Trains groups of trials on one set of images, and stores their results.

    A group that does not fit the memory of a GPU goes on in halves. `note` is told of that, and of checkpoints that are
    of no use; `show` hears of every record, with the trials that it is of.
    """

    data: Dataset
    store: Store
    backend: Backend
    is_stopped: Callable[[], bool]
    note: Note = lambda text: None
    fitting: dict[Any, int] = field(default_factory=dict)
    """By structure: how many replicas a group may have after one was too large."""

    def train(self, group: list[Trial], keys: list[str], show: Show) -> None:
        """Train a group and store its results under these keys, its trials' own.

        Raises Interrupted once `is_stopped` says so, with everything saved: the same call resumes from there;
        InputError if a network alone does not fit, and DeviceError if a GPU fails.
        """
        saved, results = Checkpoints(self.store.checkpoints, keys), None
        if len(group) <= self.fitting.get(mlp.structure(group[0]), len(group)):
            results = self._fit(group, saved, show)
        if results is None:
            middle = len(group) // 2
            self.train(group[:middle], keys[:middle], show)
            self.train(group[middle:], keys[middle:], show)
            return
        for trial, key, result in zip(group, keys, results, strict=True):
            self.store.write(key, trial, self.data.checksum, result)
        saved.discard()

    def _fit(self, group: list[Trial], saved: Checkpoints, show: Show) -> list[TrialResults] | None:
        """Train a group; return None if it does not fit the memory and must go on in parts."""
        results, full = None, ""
        try:
            results = self._train(group, saved, show)
        except OutOfMemory as error:
            full = str(error)
        gc.collect()  # a network's links form cycles: without this, two groups would be in memory at once
        devices.release_memory(self.backend.device)
        if results is None and len(group) == 1:
            raise InputError(
                f"{group[0].variant}: one network needs more memory than there is ({full}); choose a smaller "
                "network or batch"
            )
        if results is None:
            self.fitting[mlp.structure(group[0])] = fitting = (len(group) + 1) // 2
            self.note(f"{full}: going on with {fitting} networks at a time instead of {len(group)}")
        return results

    def _train(self, group: list[Trial], saved: Checkpoints, show: Show) -> list[TrialResults]:
        engine = self.backend.engine_for(group[0].settings)
        training = Training(group, self.data, engine=engine, device=self.backend.device)
        last, useless = saved.resume(training.load_state_dict)
        if useless:
            self.note(f"{useless[0]} is damaged or of another version: going on from step {training.step}")
        columns: list[Columns] = [{} for _ in group] if last is None else last.records
        seconds_before = 0.0 if last is None else last.seconds
        started = last_save = time.monotonic()

        def seconds() -> float:
            return seconds_before + time.monotonic() - started

        for record in training:
            if record is not None:
                _append(columns, record)
                show(group, record)
            # Before the first step there is nothing to save; a resume there would see its record, and its best, twice.
            if training.step and (self.is_stopped() or time.monotonic() - last_save >= SAVE_EVERY):
                saved.save(Checkpoint(training.state_dict(), columns, seconds()))
                last_save = time.monotonic()
            if self.is_stopped():
                raise Interrupted
        share, made_by = seconds() / len(group), environment.provenance(engine, self.backend.device)
        results = []
        for trial, records, parameters in zip(group, columns, training.parameters(), strict=True):
            ending = outcome(records, trial.watched)
            kept = parameters if ending == "finished" else {}  # how far others went on depends on their companions
            results.append(TrialResults(ending, share, records, made_by, kept))
        return results


def _append(columns: list[Columns], record: Record) -> None:
    """Append a record to the columns of every replica that has not diverged or stopped before.

    Initial weights may have a loss that is not finite, and be trained all the same: batch normalisation does not need
    the running averages, by which they are evaluated.
    """
    values = {**record.values, **record.diagnosis}
    for replica, own in enumerate(columns):
        if own and own["step"][-1] and (not math.isfinite(own["train_loss"][-1]) or own.get("stopped", [0.0])[-1]):
            continue
        row = {"step": record.step, "epoch": record.epoch, **{k: float(v[replica]) for k, v in values.items()}}
        before = len(own.get("step", ()))
        for name in {**row, **own}:  # the record at step 0 has no diagnosis
            own.setdefault(name, [math.nan] * before).append(row.get(name, math.nan))
