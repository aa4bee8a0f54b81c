"""Trains the groups of a plan, with checkpoints, and stores the result of every trial."""

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnrenorm import environment
from bnrenorm.config import Trial
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines import device as devices
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError, OutOfMemory
from bnrenorm.network import mlp
from bnrenorm.runs import checkpoint
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.runs.interrupt import Interrupted, Request, requests
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.store import Store
from bnrenorm.training.loop import Training
from bnrenorm.training.records import Columns, Record, TrialResults, outcome
from bnrenorm.training.state import select

SAVE_EVERY = 60.0
"""Seconds between checkpoints of a group."""


@dataclass(frozen=True)
class Progress:
    """How far the training is, in replica-steps. `record` is the newest one, of the group `trials`.

    `group` is its number, from 1, of `groups`.
    """

    done: int
    total: int
    trials: list[Trial]
    record: Record
    group: int = 1
    groups: int = 1


Report = Callable[[Progress], None]
Note = Callable[[str], None]


def train(
    plan: Plan, data: Dataset, store: Store, backend: Backend, report: Report, note: Note = lambda text: None
) -> None:
    """Train the plan's groups, and store the results; `note` is told of checkpoints that are of no use.

    A group that does not fit the memory of a GPU goes on in halves. Raises Interrupted after a signal (`interrupt`),
    with everything saved: the same call resumes from there; InputError if a network alone does not fit, and DeviceError
    if a GPU fails.
    """
    total, done, pending = sum(_steps(group[0]) * len(group) for group in plan.groups), 0, plan.groups
    number = 1  # of the group in training
    fitting: dict[Any, int] = {}  # by structure: how many replicas a group may have after one was too large
    with requests() as request:
        while pending:
            group, *pending = pending
            saved = Checkpoints(store.checkpoints, [plan.keys[trial] for trial in group])
            structure, before = mlp.structure(group[0]), done
            if len(group) > fitting.get(structure, len(group)):
                pending = [*_halve(group, saved), *pending]
                continue

            places = number, number + len(pending)

            def show(
                record: Record, group: list[Trial] = group, before: int = before, places: tuple[int, int] = places
            ) -> None:
                report(Progress(before + record.step * len(group), total, group, record, *places))

            results, full = [], None
            try:
                results = _train_group(group, data, backend, saved, request, show, note)
            except OutOfMemory as error:
                full = str(error)
            gc.collect()  # a network's links form cycles: without this, two groups would be in memory at once
            devices.release_memory(backend.device)
            if full is not None:
                if len(group) == 1:
                    raise InputError(
                        f"{group[0].variant}: one network needs more memory than there is ({full}); choose a smaller "
                        "network or batch"
                    )
                fitting[structure] = (len(group) + 1) // 2
                note(f"{full}: going on with {fitting[structure]} networks at a time instead of {len(group)}")
                pending = [group, *pending]
                continue
            for trial, result in results:
                store.write(plan.keys[trial], trial, data.checksum, result)
            saved.discard()
            done += _steps(group[0]) * len(group)
            number += 1
    checkpoint.sweep(store.checkpoints, store.has)


def _halve(group: list[Trial], saved: Checkpoints) -> list[list[Trial]]:
    """Return the halves of a group, and save for both what its newest checkpoint has of them."""
    middle = len(group) // 2
    halves = range(middle), range(middle, len(group))
    newest, _ = saved.resume(lambda state: None)
    if newest is not None:
        for half in halves:
            records, seconds = [newest.records[i] for i in half], newest.seconds * len(half) / len(group)
            part = Checkpoint(select(newest.state, half), records, seconds)
            Checkpoints(saved.root, [saved.keys[i] for i in half]).save(part)
        saved.discard()
    return [[group[i] for i in half] for half in halves]


def _steps(trial: Trial) -> int:
    return int(trial.settings.training.steps.amount)


def _train_group(
    group: list[Trial],
    data: Dataset,
    backend: Backend,
    saved: Checkpoints,
    request: Request,
    show: Callable[[Record], None],
    note: Note,
) -> list[tuple[Trial, TrialResults]]:
    engine = backend.engine_for(group[0].settings)
    training = Training(group, data, engine=engine, device=backend.device)
    last, useless = saved.resume(training.load_state_dict)
    if useless:
        note(f"{useless[0]} is spoilt or of another version: going on from step {training.step}")
    columns: list[Columns] = [{} for _ in group] if last is None else last.records
    seconds_before = 0.0 if last is None else last.seconds
    started = last_save = time.monotonic()

    def seconds() -> float:
        return seconds_before + time.monotonic() - started

    for record in training:
        if record is not None:
            _append(columns, record)
            show(record)
            if not any(_alive(trial_columns) for trial_columns in columns):
                break
        # Before the first step there is nothing to save; a resume there would see its record, and its best, twice.
        if training.step and (request.asked or time.monotonic() - last_save >= SAVE_EVERY):
            saved.save(Checkpoint(training.state_dict(), columns, seconds()))
            last_save = time.monotonic()
        if request.asked:
            raise Interrupted
    share, made_by = seconds() / len(group), environment.provenance(engine, backend.device)
    return [
        (trial, TrialResults(outcome(records, trial.watched), share, records, made_by, parameters))
        for trial, records, parameters in zip(group, columns, training.parameters(), strict=True)
    ]


def _alive(columns: Columns) -> bool:
    return not columns or bool(np.isfinite(columns["train_loss"][-1]))


def _stopped(columns: Columns) -> bool:
    return bool(columns.get("stopped", [0.0])[-1])


def _append(columns: list[Columns], record: Record) -> None:
    """Append a record to the columns of every replica that has not diverged or stopped before."""
    values = {**record.values, **record.diagnosis}
    for replica, own in enumerate(columns):
        if _alive(own) and not _stopped(own):
            row = {"step": record.step, "epoch": record.epoch, **{k: float(v[replica]) for k, v in values.items()}}
            before = len(own.get("step", ()))
            for name in {**row, **own}:  # the record at step 0 has no diagnosis
                own.setdefault(name, [math.nan] * before).append(row.get(name, math.nan))
