"""From an experiment to stored results: what is missing is grouped, trained and kept."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import psutil

from bnrenorm import model, train
from bnrenorm.config import Experiment, Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.store import COLUMNS, Result, Store


@dataclass(frozen=True)
class Progress:
    """How far the training is, in replica-steps; `record` is the newest, of the trials that train now."""

    done: int
    total: int
    trials: list[Trial]
    record: train.Record


def run(
    experiment: Experiment,
    data: Dataset,
    store: Store,
    *,
    on: str,
    report: Callable[[Progress], None] = lambda progress: None,
) -> list[tuple[Trial, Result]]:
    """Train what the store lacks and return all of the experiment's results, in the order of its trials."""
    trials = experiment.trials(len(data.x_train))
    for outputs in {trial.settings.model.outputs for trial in trials}:
        data.check_classes(outputs)
    keys = {trial: trial.key(data.checksum) for trial in trials}
    found = {trial: store.read(key) for trial, key in keys.items()}
    # Two variants with equal settings are one trial: it is trained once.
    missing = list({keys[trial]: trial for trial in trials if found[trial] is None}.values())
    total, done = sum(_steps(trial) for trial in missing), 0
    for group in groups(missing, data):
        for trial, result in _train_group(group, data, on, done, total, report):
            store.write(keys[trial], trial, data.checksum, result)
        done += sum(_steps(trial) for trial in group)
    results = [(trial, store.read(keys[trial])) for trial in trials]
    return [(trial, result) for trial, result in results if result is not None]


def groups(trials: Iterable[Trial], data: Dataset) -> list[list[Trial]]:
    """Split trials into groups that are stacked: of one structure, and within half of the free memory."""
    by_structure: dict[object, list[Trial]] = {}
    for trial in trials:
        by_structure.setdefault(model.structure(trial), []).append(trial)
    limit = psutil.virtual_memory().available / 2
    result = []
    for alike in by_structure.values():
        fitting = max(1, int(limit / replica_bytes(alike[0], data)))
        parts = math.ceil(len(alike) / fitting)
        result.extend([list(part) for part in np.array_split(np.array(alike, object), parts)])
    return result


def replica_bytes(trial: Trial, data: Dataset) -> int:
    """Estimate the memory of one replica: per hidden layer two activations kept, and two being worked on."""
    hidden = trial.settings.model.hidden
    return 4 * len(data.x_train) * (2 * sum(hidden) + 2 * max(hidden))


def _steps(trial: Trial) -> int:
    return int(trial.settings.training.steps.amount)


def _train_group(
    group: list[Trial], data: Dataset, on: str, done: int, total: int, report: Callable[[Progress], None]
) -> list[tuple[Trial, Result]]:
    started = time.perf_counter()
    records: list[dict[str, list[float]]] = [{name: [] for name in COLUMNS} for _ in group]
    alive = np.ones(len(group), bool)
    for record in train.train(group, data, on=on):
        for replica in np.flatnonzero(alive):
            columns = records[replica]
            columns["step"].append(record.step)
            columns["epoch"].append(record.epoch)
            for name in COLUMNS[2:]:
                columns[name].append(float(getattr(record, name)[replica]))
        alive &= np.isfinite(record.train_loss)
        report(Progress(done + record.step * len(group), total, group, record))
        if not alive.any():
            break
    seconds = (time.perf_counter() - started) / len(group)
    return [
        (trial, Result("finished" if ok else "diverged", seconds, on, columns))
        for trial, ok, columns in zip(group, alive, records, strict=True)
    ]
