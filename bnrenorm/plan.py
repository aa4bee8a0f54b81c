"""What an experiment has to train: groups of trials that are stacked, within a bound of memory."""

import itertools
import math
import re
import time
from dataclasses import dataclass
from typing import Any

import psutil

from bnrenorm import checkpoint, model, train
from bnrenorm.config import Experiment, Trial
from bnrenorm.config.schema import Full
from bnrenorm.data.dataset import Dataset
from bnrenorm.device import FORMULAS
from bnrenorm.errors import InputError
from bnrenorm.evaluate import ROWS
from bnrenorm.store import Store

_UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SHARE = 0.5  # of the memory that is free, by default


@dataclass(frozen=True)
class Plan:
    """All trials with their keys, the results' addresses, and the groups that are to be trained."""

    keys: dict[Trial, str]
    groups: list[list[Trial]]

    @property
    def missing(self) -> int:
        """How many trials are to be trained."""
        return sum(map(len, self.groups))


def plan(experiment: Experiment, data: Dataset, store: Store, memory: int) -> Plan:
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
        fitting = max(1, (memory - data_bytes(data)) // replica_bytes(alike[0], data))
        parts = math.ceil(len(alike) / fitting)
        groups.extend(alike[i * len(alike) // parts : (i + 1) * len(alike) // parts] for i in range(parts))
    return Plan(keys, groups)


def data_bytes(data: Dataset) -> int:
    """Count the bytes of the images as float32."""
    return 4 * data.inputs * (len(data.x_train) + len(data.x_test))


def replica_bytes(trial: Trial, data: Dataset) -> int:
    """Estimate the memory of one replica: parameters with gradients and an optimizer's two, activations, a batch.

    Of every hidden layer two activations are kept, and two of the widest are being worked on.
    """
    settings = trial.settings
    hidden, batch = settings.model.hidden, settings.training.batch
    widths = (data.inputs, *hidden, settings.model.outputs)
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    whole = settings.evaluation.statistics == "batch"
    size = len(data.x_train) if isinstance(batch, Full) else batch.size
    rows = max(size, len(data.x_test) if whole else ROWS)
    gathered = 0 if isinstance(batch, Full) else data.inputs * max(size, 1000)
    return 4 * (6 * weights + rows * (2 * sum(hidden) + 2 * max(hidden)) + gathered)


def parse_memory(text: str | None) -> int:
    """Read "4GiB" or "500 MB" as bytes; None is half of what is free. Raises InputError."""
    if text is None:
        return int(_SHARE * psutil.virtual_memory().available)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]i?B|B|)\s*", text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--memory {text}: expected a size such as 4GiB")
    return int(float(match[1]) * _UNITS[match[2]])


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
