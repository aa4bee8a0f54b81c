"""From a plan to stored results: groups are trained, saved on the way, and kept trial by trial."""

import contextlib
import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bnrenorm import checkpoint, train
from bnrenorm.checkpoint import Checkpoint, Checkpoints
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.device import FORMULAS
from bnrenorm.interrupt import Interrupted, Request, requests
from bnrenorm.plan import Plan
from bnrenorm.store import Columns, Result, Store

SAVE_EVERY = 60.0
"""Seconds between two checkpoints of a group."""


@dataclass(frozen=True)
class Progress:
    """How far the training is, in replica-steps; `record` is the newest, of the trials that train now."""

    done: int
    total: int
    trials: list[Trial]
    record: train.Record


Report = Callable[[Progress], None]


def run(
    plan: Plan,
    data: Dataset,
    store: Store,
    *,
    on: str,
    kernels: str = FORMULAS,
    report: Report = lambda progress: None,
) -> list[tuple[Trial, Result]]:
    """Train what the plan lists and return all of the experiment's results, in the order of its trials.

    Raises Interrupted after a SIGINT or SIGTERM, with everything saved: the same call goes on from there.
    """
    total, done = sum(_steps(group[0]) * len(group) for group in plan.groups), 0
    with requests() as request:
        for group in plan.groups:
            saved = Checkpoints(store.checkpoints, [plan.keys[trial] for trial in group])
            before = done

            def show(record: train.Record, group: list[Trial] = group, before: int = before) -> None:
                report(Progress(before + record.step * len(group), total, group, record))

            for trial, result in _train_group(group, data, (on, kernels), saved, request, show):
                store.write(plan.keys[trial], trial, data.checksum, result)
            saved.discard()
            gc.collect()  # a network's links refer to each other: memory for two groups would be held
            done += _steps(group[0]) * len(group)
    checkpoint.sweep(store.checkpoints, store.has)
    results = [(trial, store.read(key)) for trial, key in plan.keys.items()]
    return [(trial, result) for trial, result in results if result is not None]


def _steps(trial: Trial) -> int:
    return int(trial.settings.training.steps.amount)


def _train_group(
    group: list[Trial],
    data: Dataset,
    where: tuple[str, str],
    saved: Checkpoints,
    request: Request,
    show: Callable[[train.Record], None],
) -> list[tuple[Trial, Result]]:
    on, kernels = where
    training = train.Training(group, data, on=on, kernels=kernels)
    last = saved.load()
    columns: list[Columns] = [{} for _ in group]
    before = 0.0
    if last is not None:
        with contextlib.suppress(ValueError):  # another version's checkpoint: the group starts afresh
            training.restore(last.state)
            columns, before = last.records, last.seconds
    started = last_save = time.monotonic()

    def spent() -> float:
        return before + time.monotonic() - started

    for record in training:
        if record is not None:
            _append(columns, record)
            show(record)
            if not any(_alive(each) for each in columns):
                break
        if request.asked or time.monotonic() - last_save >= SAVE_EVERY:
            saved.save(Checkpoint(training.state(), columns, spent()))
            last_save = time.monotonic()
        if request.asked:
            raise Interrupted
    share = spent() / len(group)
    return [
        (trial, Result("finished" if _alive(each) else "diverged", share, on, each, parameters))
        for trial, each, parameters in zip(group, columns, training.parameters(), strict=True)
    ]


def _alive(columns: Columns) -> bool:
    return not columns or bool(np.isfinite(columns["train_loss"][-1]))


def _stopped(columns: Columns) -> bool:
    return bool(columns.get("stopped", [0.0])[-1])


def _append(columns: list[Columns], record: train.Record) -> None:
    """Add a record to the columns of every replica that has not diverged or stopped before."""
    values = {**record.values, **record.diagnosis}
    for replica, each in enumerate(columns):
        known = each.get("step", [-1])[-1] >= record.step  # a resume at step 0 makes its first record once more
        if _alive(each) and not _stopped(each) and not known:
            row = {"step": record.step, "epoch": record.epoch, **{k: float(v[replica]) for k, v in values.items()}}
            before = len(each.get("step", ()))
            for name in {**row, **each}:  # a record before the first step has no diagnosis
                each.setdefault(name, [math.nan] * before).append(row.get(name, math.nan))
