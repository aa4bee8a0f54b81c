"""What a worker of a cluster does: it trains a group, as a process of its own would, and says how far it is."""

import gc
import pickle
import platform
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bnrenorm import _compat, disk
from bnrenorm.config import TRIALS, Trial
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
    included; another one hands its results back. `host` is the machine of the command.
    """

    token: str
    data: Data
    checksum: str
    backend: Backend
    root: Path
    proof: Path
    plugins: tuple[Plugin, ...]
    host: str


@dataclass(frozen=True)
class Task:
    """A group to be trained: its number in the plan, its trials and their keys."""

    number: int
    trials: list[Trial]
    keys: list[str]


@dataclass(frozen=True)
class Begun:
    """A message: a worker trains the group of that number now, and writes what it saves to the run's folder or not."""

    number: int
    shares: bool


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


def train_group(run: Run, task: Task) -> list[tuple[str, TrialResults]]:
    """Train a group in this worker; return the results that are not in the run's own folder, with their keys.

    Raises what `GroupTrainer.train` does, and InputError for other images or another version than the command's, and
    where this machine has no GPU and that of the command has one. An InputError names a machine that is another one.
    """
    with _turn:
        try:
            results = _train_alone(run, task)
        except InputError as error:
            if (host := platform.node()) == getattr(run, "host", host):  # an older version's command names none
                raise
            raise InputError(f"{error} (on {host}, where a worker is)") from error
        _settle()
        return results


def _train_alone(run: Run, task: Task) -> list[tuple[str, TrialResults]]:
    _register(run.plugins)
    images = _images(run.data.model_dump_json(), run.checksum)
    if task.keys != [trial.key(run.checksum, run.backend.address(trial.settings)) for trial in task.trials]:
        raise InputError("a worker has another version of bnrenorm than this machine, whose results may differ")
    if _shares(run):
        _train(run, task, images, Store(run.root), shares=True)
        return []
    with tempfile.TemporaryDirectory(prefix="bnrenorm-") as folder:
        store = Store(Path(folder))
        store.prepare()
        _train(run, task, images, store, shares=False)
        return [(key, store.read(key)) for key in task.keys]


def _shares(run: Run) -> bool:
    """Tell whether this worker sees the run's folder and may write there."""
    try:
        if disk.exists(run.proof):
            disk.try_to_write(run.root / TRIALS)
            return True
    except OSError:
        pass
    return False


def _train(run: Run, task: Task, images: Dataset, store: Store, *, shares: bool) -> None:
    from distributed import get_worker

    worker: Any = get_worker()
    backend, last, waiting = run.backend, float("-inf"), None
    if backend.device != "cpu":  # workers of one host are numbered from 0
        name, gpus = worker.name if isinstance(worker.name, int) else 0, _compat.gpu_count()
        if not gpus:
            raise InputError("a worker finds no GPU, and this machine has one; use --device cpu, or workers with GPUs")
        backend = replace(backend, device=f"cuda:{name % gpus}")

    def send(message: Begun | Shown | Noted) -> None:
        worker.log_event(run.token, pickle.dumps(message))

    def show(trials: list[Trial], record: Record) -> None:
        nonlocal last, waiting
        losses = {"train_loss": record.values["train_loss"]}  # all that progress shows
        stopped = {name: values for name, values in record.diagnosis.items() if name == "stopped"}
        first = next(i for i, trial in enumerate(task.trials) if trial is trials[0])
        waiting = Shown(task.number, first, len(trials), Record(record.step, record.epoch, losses, stopped))
        if time.monotonic() - last >= _EVERY:
            send(waiting)
            last, waiting = time.monotonic(), None

    send(Begun(task.number, shares))
    trainer = GroupTrainer(images, store, backend, lambda: run.token in _stopped, lambda text: send(Noted(text)))
    trainer.train(task.trials, task.keys, show)
    if waiting is not None:
        send(waiting)


async def stop(token: str) -> None:
    """Ask this worker to stop what it does for a run, at the next record and with everything saved.

    A coroutine, because the client waits for functions, and a worker that was stopped by a signal answers nobody.
    """
    _stopped.add(token)


@lru_cache(maxsize=1)
def _images(settings: str, checksum: str) -> Dataset:
    images = dataset.load(Data.model_validate_json(settings)).keeping()
    if images.checksum != checksum:
        raise InputError(f"{images.source}: these are other images on a worker than on this machine")
    return images


@cache
def _settle() -> None:
    """After the first group: what a worker has imported and loaded stays, and need not be searched after each group."""
    gc.collect()
    gc.freeze()


@lru_cache(maxsize=1)  # other files, or other versions of them, may have registered the same names since
def _register(plugins: tuple[Plugin, ...]) -> None:
    for plugin in plugins:
        user_files.run(plugin, "the config")
