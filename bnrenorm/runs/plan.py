"""Which trials of an experiment are still to be trained, in groups that fit in memory."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bnrenorm.config import Experiment, Trial
from bnrenorm.config.resolve import Misfit
from bnrenorm.data.dataset import Dataset
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.backend import Backend
from bnrenorm.network import mlp
from bnrenorm.runs import checkpoint
from bnrenorm.runs.memory import check, need
from bnrenorm.runs.shard import Shard
from bnrenorm.runs.store import Store

Keys = dict[Trial, str]
"""Trials with their keys, the addresses of their results, in the experiment's order."""


@dataclass(frozen=True)
class Plan:
    """Trials with their keys, and the groups that are to be trained of them."""

    keys: Keys
    groups: list[list[Trial]]

    @property
    def different(self) -> int:
        """Number of trials that differ: variants with equal settings share theirs."""
        return len(set(self.keys.values()))

    @property
    def missing(self) -> int:
        """Number of trials that are to be trained."""
        return sum(map(len, self.groups))


def trial_keys(experiment: Experiment, data: Dataset, backend: Backend, shard: Shard | None = None) -> Keys:
    """Return the experiment's trials, or those of a shard, with their keys.

    Raises InputError if the settings do not fit the data.
    """
    trials = experiment.trials(len(data.x_train), data.classes)
    regimes: dict[Any, Trial] = {}  # the first trial of each
    for trial in trials:
        regimes.setdefault((trial.settings.training.batch, trial.settings.data.validation), trial)
    for (batch, validation), trial in regimes.items():
        try:
            Sampler(batch, data.learning_labels(validation))
        except Misfit as misfit:
            raise experiment.error(trial.variant, trial.point, misfit) from None
    keys = {trial: trial.key(data.checksum, backend.address(trial.settings)) for trial in trials}
    return keys if shard is None else shard.keys(keys)


def plan(
    keys: Keys,
    data: Dataset,
    store: Store,
    memory: int,
    backend: Backend,
    damaged: Collection[str] = (),
    workers: int = 1,
    sharing: int = 1,
) -> Plan:
    """Find the trials of `trial_keys` that are not stored yet, and group them.

    memory: bytes that a group may take, as one of so many `sharing` it; damaged: keys of stored trials that cannot be
    used; workers: who train groups at the same time, and are to have some each. Interrupted groups come first, and
    their trials stay together or in parts, so that they can resume; then norms of the user's own, whose mistakes show
    in the first step. Raises InputError if a network alone needs more than the memory.
    """
    # Variants with equal settings share a key, so they are trained once.
    missing = {key: trial for trial, key in keys.items() if key in damaged or not store.has(key)}
    interrupted, known = [], set(keys.values())
    for group in sorted(checkpoint.unfinished(store.checkpoints), key=len):  # a part is farther than the whole
        if known.issuperset(group) and (own := [missing.pop(key) for key in group if key in missing]):
            interrupted.append(own)
    by_structure: dict[Any, list[Trial]] = {}
    for trial in missing.values():
        by_structure.setdefault(mlp.structure(trial), []).append(trial)
    new = sorted(by_structure.values(), key=lambda alike: alike[0].settings.norm.kind != "custom")
    per_interrupted = math.ceil(workers / max(1, len(interrupted)))
    groups: list[list[Trial]] = []
    for alike, parts in [*((group, per_interrupted) for group in interrupted), *((group, workers) for group in new)]:
        needed = need(alike[0], data, backend)
        check(alike[0], needed, memory, sharing)
        count = max(math.ceil(len(alike) / needed.fitting(memory)), min(len(alike), parts))
        groups.extend(alike[i * len(alike) // count : (i + 1) * len(alike) // count] for i in range(count))
    return Plan(keys, groups)
