"""One run of an experiment: load the data, lock the folder, plan, compile, train, yield the results.

The command line and `bnrenorm.run` both make a `Session`, so that both lock, resume and write the same files.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bnrenorm.config import CONFIG_FILE, Experiment, Trial
from bnrenorm.config.schema import Data
from bnrenorm.data import dataset
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import BACKENDS, CPU, Backend
from bnrenorm.errors import ClusterError, InputError
from bnrenorm.norm import registry
from bnrenorm.numbers import counted
from bnrenorm.runs import alike, course, inventory, narration, run_folder, runner
from bnrenorm.runs import cluster as clusters
from bnrenorm.runs.cluster import Cluster
from bnrenorm.runs.finished import Outcome
from bnrenorm.runs.plan import Keys, Plan, plan, trial_keys
from bnrenorm.runs.remarks import remarks
from bnrenorm.runs.runner import Report
from bnrenorm.runs.sealed import Damaged
from bnrenorm.runs.shard import Shard
from bnrenorm.runs.store import Store
from bnrenorm.training.records import TrialResults


@dataclass(frozen=True)
class Rehearsal:
    """What a run would train, on how many `devices`: machines of a cluster, or GPUs of this one."""

    data: Dataset
    backend: Backend
    plan: Plan
    devices: int


class Watcher:
    """Callbacks that show the progress of a run: lines of text by `tell`, which shows nothing here."""

    def tell(self, text: str) -> None:
        """Show a line."""

    def note(self, text: str) -> None:
        """Called with a remark that the user should read, such as stored files that cannot be used; no full stop.

        The results keep the remarks that the session itself makes.
        """
        self.tell(f"Note: {text}.")

    def opening(self, experiment: Experiment, keys: Keys, data: Dataset, backend: Backend) -> None:
        """Called before the training with what will be trained: the trials and the keys of their results."""
        self.tell(narration.headline(experiment, keys, data, backend))

    def connected(self, workers: int, dashboard: str) -> None:
        """Called once there is a cluster, with its number of workers and the address of its dashboard."""
        self.tell(f"{counted(workers, 'worker')}, to be watched at {dashboard}")

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Context of the compilation, entered only if kernels must be compiled."""
        started = time.monotonic()
        self.tell(narration.COMPILING)
        yield
        self.tell(f"Compiled in {time.monotonic() - started:.0f} s.")

    @contextmanager
    def training(self) -> Iterator[Report]:
        """Context of the training; yields a function that is called with each `Progress`."""
        yield lambda progress: None


class Session:
    """An experiment that is to be trained, or a shard of it; what is wrong with it is found when this is made.

    memory: bytes that all groups in training on this machine may take; load: maps the data settings to the images;
    cluster: where groups are trained, in this process by default. This and its methods raise InputError for mistakes
    that the user can fix, before anything but finished trials is written; Interrupted after a SIGINT or SIGTERM, with
    everything saved; OSError if the disk or the cluster fails.
    """

    def __init__(
        self,
        experiment: Experiment,
        backend: Backend,
        out: Path,
        *,
        memory: int,
        watcher: Watcher | None = None,
        load: Callable[[Data], Dataset] = dataset.load,
        cluster: Cluster | None = None,
        shard: Shard | None = None,
    ):
        self.experiment, self.backend, self.store = experiment, backend, Store(out)
        self.data, self.watcher, self.cluster = _images(experiment, load), watcher or Watcher(), cluster
        self.keys = trial_keys(experiment, self.data, backend, shard)
        self.notes: list[str] = []
        self.failures: dict[str, str] = {}  # by key
        self.workers, self.devices, self.sharing = clusters.count(cluster, backend.device)
        self.memory = memory // self.sharing
        registry.reread()
        self._plan()

    @contextmanager
    def run(self) -> Iterator[Outcome]:
        """Train the trials that `out` does not contain yet, and yield all results to a context that writes the outputs.

        The run folder is locked until the context ends.
        """
        out, checksum = self.store.root, self.data.checksum
        self.store.prepare()
        with run_folder.opened(out, self.experiment, checksum) as folder:
            inventory.list_trials(folder, self.keys.values())
            self._announce()
            for note in alike.looks(folder, checksum) if len(self.experiment.variants) > 1 else ():
                self._note(note)
            for other in run_folder.unfinished(folder):
                self._note(f"{other} is unfinished; {run_folder.command(other / CONFIG_FILE, out)} goes on with it")
            results, failures = self._results()
            data, device, notes = self.data.described, self.backend.device, tuple(self.notes)
            yield Outcome(self.experiment, data, device, results, folder, notes, tuple(failures))

    def train(self) -> tuple[int, tuple[str, ...]]:
        """Train the trials, as those of a shard, and store their results: no run folder, and nothing is compared.

        Shards may be trained at the same time with the same `out`. Returns how many of the trials are stored now, and
        why others are not.
        """
        self.store.prepare()
        self._announce()
        results, failures = self._results()
        return len({self.keys[trial] for trial, _ in results}), tuple(failures)

    def rehearse(self) -> Rehearsal:
        """Announce and plan what would be trained, stored trials that are damaged included; write nothing."""
        there = {trial: key for trial, key in self.keys.items() if self.store.has(key)}
        _, damaged = self.store.read_all(there)
        self._announce()
        return Rehearsal(self.data, self.backend, self._plan(damaged), self.devices)

    def _note(self, text: str) -> None:
        """Keep a remark, and show it."""
        self.notes.append(text)
        self.watcher.note(text)

    def _announce(self) -> None:
        """Say what will be trained, and what of it another engine or kind of device has trained."""
        self.watcher.opening(self.experiment, self.keys, self.data, self.backend)
        for remark in remarks(self.experiment, list(self.keys), self.data, self.backend):
            self._note(remark)
        stored = set(self.store.finished())
        missing = [trial for trial, key in self.keys.items() if stored and key not in stored]
        for other in reversed(BACKENDS):  # Chainer's before those that leave settings to it
            keys = {trial.key(self.data.checksum, other.address(trial.settings)) for trial in missing}
            if count := len(keys & stored):
                self.watcher.note(narration.trained_by(other, count))
            stored -= keys
        if missing:
            folder = run_folder.path_of(self.store.root, self.experiment, self.data.checksum)
            every = trial_keys(self.experiment, self.data, self.backend)  # those of all shards
            if former := inventory.of_another_version(folder, self.store, every, self.data.checksum):
                self.watcher.note(former)

    def _plan(self, damaged: Collection[str] = ()) -> Plan:
        """Plan what is missing or damaged."""
        return plan(self.keys, self.data, self.store, self.memory, self.backend, damaged, self.workers, self.sharing)

    def _results(self) -> tuple[list[tuple[Trial, TrialResults]], list[str]]:
        """Train what is missing; return all results, and a line for each reason why trials have none."""
        try:
            results, damaged = self._trained()
            if damaged:
                more = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
                self._note(f"{next(iter(damaged.values()))}{more}: trained again")
                results, damaged = self._trained(damaged)
        finally:
            registry.keep()
        failed = {trial: self.failures[key] for trial, key in self.keys.items() if key in self.failures}
        lines = narration.failures(failed)
        for line in lines:
            self._note(line)
        if failed and not results:
            raise ClusterError(lines[0])
        if damaged:
            raise OSError(f"{self.store.trials}: {len(damaged)} results were written, but cannot be read")
        return results, lines

    def _trained(self, damaged: Collection[str] = ()) -> tuple[list[tuple[Trial, TrialResults]], dict[str, Damaged]]:
        """Train what is missing or damaged; return what `Store.read_all` does."""
        todo, watcher = self._plan(damaged), self.watcher
        if not damaged and (reused := narration.reused(todo)):
            watcher.tell(reused)
        compile_kernels(todo, self.backend, watcher)
        if self.cluster is None or not todo.groups:
            with watcher.training() as report:
                runner.train(todo, self.data, self.store, self.backend, report, self._note)
        else:
            with clusters.connected(self.cluster) as client, watcher.training() as report:
                watcher.connected(clusters.size(client), client.dashboard_link)
                self.failures = course.train(  # what a round before has lost is in this plan again
                    todo, self.experiment, self.data, self.store, self.backend, client, report, self._note
                )
        return self.store.read_all({trial: key for trial, key in self.keys.items() if key not in self.failures})


def _images(experiment: Experiment, load: Callable[[Data], Dataset]) -> Dataset:
    """Load the images of an experiment; an error about the user's own names the place of data.path too."""
    try:
        return load(experiment.data)
    except InputError as error:
        raise InputError(f"{experiment.document.location(('data', 'path'))}: {error}") from error


def compile_kernels(todo: Plan, backend: Backend, watcher: Watcher) -> None:
    """Compile the kernels that a plan needs and that are not in the cache; without a cache, say that they will be."""
    if backend.engine != CPU or not todo.groups:
        return
    from bnrenorm.engines.cpu import compilation  # takes numba's import time

    if not compilation.is_cached():
        watcher.note(narration.NOT_CACHED)
    elif missing := compilation.missing(group[0].settings for group in todo.groups):
        with watcher.compiling():
            compilation.compile_kernels(missing)
