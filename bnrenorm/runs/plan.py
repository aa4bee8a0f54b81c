"""What an experiment has to train: groups of trials that are stacked, within a bound of memory."""

import math
from dataclasses import dataclass
from typing import Any

from bnrenorm.config import Experiment, Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.network import mlp
from bnrenorm.runs import checkpoint
from bnrenorm.runs.memory import need
from bnrenorm.runs.store import Store


@dataclass(frozen=True)
class Plan:
    """All trials with their keys, the results' addresses, and the groups that are to be trained."""

    keys: dict[Trial, str]
    groups: list[list[Trial]]

    @property
    def missing(self) -> int:
        """How many trials are to be trained."""
        return sum(map(len, self.groups))


def plan(experiment: Experiment, data: Dataset, store: Store, memory: int, backend: Backend) -> Plan:
    """Find what the store lacks, and group it. memory: bytes that a group may take.

    A group that was interrupted comes first, as it was. Raises InputError if labels and `model.outputs` do not fit.
    """
    trials = experiment.trials(len(data.x_train))
    for outputs in {trial.settings.model.outputs for trial in trials}:
        data.check_classes(outputs)
    keys = {trial: trial.key(data.checksum, backend.address(trial.settings)) for trial in trials}
    # Two variants with equal settings are one trial, which is trained once.
    missing = {key: trial for trial, key in keys.items() if not store.has(key)}
    groups = []
    by_key = {key: trial for trial, key in keys.items()}
    for group in checkpoint.unfinished(store.checkpoints):
        if all(key in by_key for key in group) and any(key in missing for key in group):
            groups.append([by_key[key] for key in group])
            missing = {key: trial for key, trial in missing.items() if key not in group}
    by_structure: dict[Any, list[Trial]] = {}
    for trial in missing.values():
        by_structure.setdefault(mlp.structure(trial), []).append(trial)
    for alike in by_structure.values():
        fitting = need(alike[0], data, backend).fitting(memory)
        parts = math.ceil(len(alike) / fitting)
        groups.extend(alike[i * len(alike) // parts : (i + 1) * len(alike) // parts] for i in range(parts))
    return Plan(keys, groups)
