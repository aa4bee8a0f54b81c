"""Which trials of an experiment are still to be trained, in groups that fit in memory."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bnrenorm.config import Experiment, Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.backend import Backend
from bnrenorm.network import mlp
from bnrenorm.runs import checkpoint
from bnrenorm.runs.memory import check, need
from bnrenorm.runs.store import Store


@dataclass(frozen=True)
class Plan:
    """All trials with their keys (the addresses of their results), and the groups that are to be trained."""

    keys: dict[Trial, str]
    groups: list[list[Trial]]

    @property
    def missing(self) -> int:
        """Number of trials that are to be trained."""
        return sum(map(len, self.groups))


def plan(
    experiment: Experiment,
    data: Dataset,
    store: Store,
    memory: int,
    backend: Backend,
    spoilt: Collection[str] = (),
    workers: int = 1,
) -> Plan:
    """Find the trials that are not stored yet, and group them.

    memory: bytes that a group may take; spoilt: keys of stored trials that cannot be used; workers: who train groups at
    the same time, and are to have some each. Interrupted groups come first, unchanged, so that they can resume. Raises
    InputError if the settings do not fit the data, or if a network alone needs more than the memory.
    """
    trials = experiment.trials(len(data.x_train), data.classes)
    for batch, validation in {(trial.settings.training.batch, trial.settings.data.validation) for trial in trials}:
        Sampler(batch, data.learning_labels(validation))
    keys = {trial: trial.key(data.checksum, backend.address(trial.settings)) for trial in trials}
    # Variants with equal settings share a key, so they are trained once.
    missing = {key: trial for trial, key in keys.items() if key in spoilt or not store.has(key)}
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
        needed = need(alike[0], data, backend)
        check(alike[0], needed, memory)
        count = max(math.ceil(len(alike) / needed.fitting(memory)), min(len(alike), workers))
        groups.extend(alike[i * len(alike) // count : (i + 1) * len(alike) // count] for i in range(count))
    return Plan(keys, groups)
