"""What a worker of a cluster does: it trains a group, as a process of its own would, and says how far it is."""

import gc
import pickle
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bnrenorm import _compat, disk
from bnrenorm.config import Trial
from bnrenorm.config import plugins as user_files
from bnrenorm.config.plugins import Plugin
from bnrenorm.config.schema import Data
from bnrenorm.data import dataset
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError
from bnrenorm.runs.group import GroupTrainer
from bnrenorm.runs.store import Store
from bnrenorm.training.records import Record, TrialResults

_EVERY = 0.25  # seconds between two messages about a group's progress

_stopped: set[str] = set()  # runs that this process has been asked to stop
_turn = threading.Lock()  # a group takes all of a process's threads, however many tasks Dask gives to it at a time


@dataclass(frozen=True)
class Run:
    """What all groups of a run share, for workers. `token` names it; `plugins` are the user's files.

    `root` is the folder of the results. A worker for which the file `proof` is there too writes to it, checkpoints
    included; another one hands its results back.
    """

    token: str
    data: Data
    checksum: str
    backend: Backend
    root: Path
    proof: Path
    plugins: tuple[Plugin, ...]


@dataclass(frozen=True)
class Task:
    """A group to be trained: its number in the plan, its trials and their keys."""

    number: int
    trials: list[Trial]
    keys: list[str]


@dataclass(frozen=True)
class Begun:
    """A message: a worker trains the group of that number now."""

    number: int


@dataclass(frozen=True)
class Shown:
    """A message: a record of so many trials of a group, from its `first` one on."""

    number: int
    first: int
    count: int
    record: Record


@dataclass(frozen=True)
class Noted:
    """A message: a remark for the user."""

    text: str


def train(run: Run, task: Task) -> list[tuple[str, TrialResults]]:
    """Train a group in this worker; return the results that are not in the run's own folder, with their keys.

    Raises what `GroupTrainer.train` does, and InputError if the worker does not see the same images.
    """
    with _turn:
        results = _train_alone(run, task)
        _settle()
        return results


def _train_alone(run: Run, task: Task) -> list[tuple[str, TrialResults]]:
    for plugin in run.plugins:
        _register(plugin)
    images = _images(run.data.model_dump_json())
    if images.checksum != run.checksum:
        raise InputError(f"{images.source}: these are other images on a worker than on this machine")
    if disk.exists(run.proof):
        _train(run, task, images, Store(run.root))
        return []
    with tempfile.TemporaryDirectory(prefix="bnrenorm-") as folder:
        store = Store(Path(folder))
        store.prepare()
        _train(run, task, images, store)
        return [(key, store.read(key)) for key in task.keys]


def _train(run: Run, task: Task, images: Dataset, store: Store) -> None:
    from distributed import get_worker

    worker: Any = get_worker()
    backend, last = run.backend, float("-inf")
    if backend.device != "cpu":  # workers of one host are numbered from 0
        name = worker.name if isinstance(worker.name, int) else 0
        backend = replace(backend, device=f"cuda:{name % _compat.gpu_count()}")

    def send(message: Begun | Shown | Noted) -> None:
        worker.log_event(run.token, pickle.dumps(message))

    def show(trials: list[Trial], record: Record) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            losses = {"train_loss": record.values["train_loss"]}  # all that progress shows
            stopped = {name: values for name, values in record.diagnosis.items() if name == "stopped"}
            first = next(i for i, trial in enumerate(task.trials) if trial is trials[0])
            send(Shown(task.number, first, len(trials), Record(record.step, record.epoch, losses, stopped)))

    send(Begun(task.number))
    trainer = GroupTrainer(images, store, backend, lambda: run.token in _stopped, lambda text: send(Noted(text)))
    trainer.train(task.trials, task.keys, show)


async def stop(token: str) -> None:
    """Ask this worker to stop what it does for a run, at the next record and with everything saved.

    A coroutine, because the client waits for functions, and a worker that was stopped by a signal answers nobody.
    """
    _stopped.add(token)


@lru_cache(maxsize=1)
def _images(settings: str) -> Dataset:
    return dataset.load(Data.model_validate_json(settings)).keeping()


@cache
def _settle() -> None:
    """After the first group: what a worker has imported and loaded stays, and need not be searched after each group."""
    gc.collect()
    gc.freeze()


@cache
def _register(plugin: Plugin) -> None:
    user_files.run(plugin, "the config")
