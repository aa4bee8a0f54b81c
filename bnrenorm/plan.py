"""What an experiment has to train: groups of trials that are stacked, within a bound of memory."""

import math
import time
from dataclasses import dataclass
from typing import Any

from bnrenorm import checkpoint, model, train
from bnrenorm.config import Experiment, Trial
from bnrenorm.config.schema import Full
from bnrenorm.data.dataset import Dataset
from bnrenorm.device import FORMULAS
from bnrenorm.memory import need
from bnrenorm.store import Store


@dataclass(frozen=True)
class Plan:
    """All trials with their keys, the results' addresses, and the groups that are to be trained."""

    keys: dict[Trial, str]
    groups: list[list[Trial]]

    @property
    def missing(self) -> int:
        """How many trials are to be trained."""
        return sum(map(len, self.groups))


def plan(experiment: Experiment, data: Dataset, store: Store, memory: int, kernels: str = FORMULAS) -> Plan:
    """Find what the store lacks. A group that was interrupted comes first, as it was; others fit into the memory."""
    trials = experiment.trials(len(data.x_train))
    for outputs in {trial.settings.model.outputs for trial in trials}:
        data.check_classes(outputs)
    keys = {trial: trial.key(data.checksum) for trial in trials}
    # Two variants with equal settings are one trial: it is trained once.
    missing = {key: trial for trial, key in keys.items() if store.read(key) is None}
    groups = []
    by_key = {key: trial for trial, key in keys.items()}
    for group in checkpoint.unfinished(store.checkpoints):
        if all(key in by_key for key in group) and any(key in missing for key in group):
            groups.append([by_key[key] for key in group])
            missing = {key: trial for key, trial in missing.items() if key not in group}
    by_structure: dict[Any, list[Trial]] = {}
    for trial in missing.values():
        by_structure.setdefault(model.structure(trial), []).append(trial)
    for alike in by_structure.values():
        fitting = need(alike[0], data, kernels).fitting(memory)
        parts = math.ceil(len(alike) / fitting)
        groups.extend(alike[i * len(alike) // parts : (i + 1) * len(alike) // parts] for i in range(parts))
    return Plan(keys, groups)


def estimate_seconds(group: list[Trial], data: Dataset, on: str, kernels: str) -> float:
    """Estimate a group's training time from a rehearsal: some steps and one record, as they really are here."""
    training = train.Training(group, data, on=on, kernels=kernels)
    training.rehearse()  # the first step is slower than those that follow
    started = time.perf_counter()
    steps = 2 if kernels == FORMULAS or isinstance(training.settings.training.batch, Full) else 50
    training.rehearse(steps=steps, record=False)
    step = (time.perf_counter() - started) / steps
    started = time.perf_counter()
    training.rehearse()
    record = max(0.0, time.perf_counter() - started - step)
    total, every = (int(d.amount) for d in (training.settings.training.steps, training.settings.evaluation.every))
    return total * step + math.ceil(total / every) * record
