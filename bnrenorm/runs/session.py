"""One run of an experiment: load the data, lock the folder, plan, compile, train, write the outputs.

The command line and `bnrenorm.run` both call `run`, so that both lock, resume and write the same files.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bnrenorm.config import Experiment, Trial
from bnrenorm.config.schema import Data
from bnrenorm.data import dataset
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CPU, Backend
from bnrenorm.runs import cluster as clusters
from bnrenorm.runs import inventory, narration, run_folder, runner
from bnrenorm.runs.cluster import Cluster
from bnrenorm.runs.plan import Plan, plan
from bnrenorm.runs.runner import Report
from bnrenorm.runs.sealed import Spoilt
from bnrenorm.runs.store import Store
from bnrenorm.training.records import TrialResults


@dataclass(frozen=True)
class Outcome:
    """The results of a run: its trials in the experiment's order, the run folder, and the notes made on the way."""

    experiment: Experiment
    data: Dataset
    backend: Backend
    trials: list[tuple[Trial, TrialResults]]
    folder: Path
    notes: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    """Why trials have no result, in a line each: what workers of a cluster did not survive."""


class Watcher:
    """Callbacks that show the progress of a run; these show nothing."""

    def note(self, text: str) -> None:
        """Called with a remark that the user should read, such as stored files that cannot be used; no full stop.

        The run's results keep these remarks.
        """

    def opening(self, experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> None:
        """Called before the training with what will be trained."""

    def connected(self, workers: int, dashboard: str) -> None:
        """Called once there is a cluster, with its number of workers and the address of its dashboard."""

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Context of the compilation, entered only if kernels must be compiled."""
        yield

    @contextmanager
    def training(self) -> Iterator[Report]:
        """Context of the training; yields a function that is called with each `Progress`."""
        yield lambda progress: None


def run(
    experiment: Experiment,
    backend: Backend,
    out: Path,
    *,
    memory: int,
    leave: Callable[[Outcome], None],
    watcher: Watcher | None = None,
    load: Callable[[Data], Dataset] = dataset.load,
    cluster: Cluster | None = None,
) -> Outcome:
    """Train the trials that `out` does not contain yet, then call `leave` to write the outputs to the run folder.

    memory: bytes that all groups in training on this machine may take; load: maps the data settings to the images;
    cluster: where groups are trained, in this process by default. Raises InputError for mistakes that the user can fix,
    before anything is written; Interrupted after a SIGINT or SIGTERM, with everything saved; OSError if the disk or the
    cluster fails.
    """
    watcher = watcher or Watcher()
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        watcher.note(text)

    data, store = load(experiment.data), Store(out)
    workers = 1 if cluster is None else clusters.count(cluster)
    share = memory // workers if cluster and not cluster.address else memory
    failures: dict[str, str] = {}

    def train(spoilt: Collection[str] = ()) -> dict[Trial, TrialResults | Spoilt]:
        """Train what is missing or spoilt, and read everything."""
        todo = plan(experiment, data, store, share, backend, spoilt, workers)
        compile_kernels(todo, backend, watcher)
        if cluster is None or not todo.groups:
            with watcher.training() as report:
                runner.train(todo, data, store, backend, report, note)
        else:
            with clusters.connected(cluster) as client, watcher.training() as report:
                watcher.connected(clusters.size(client), client.dashboard_link)
                failures.update(clusters.train(todo, experiment, data, store, backend, client, report, note))
        return _read({trial: key for trial, key in todo.keys.items() if key not in failures}, store)

    keys = plan(experiment, data, store, share, backend, (), workers).keys
    store.prepare()
    with run_folder.opened(out, experiment) as folder:
        inventory.list_trials(folder, keys.values())
        watcher.opening(experiment, list(keys), data, backend)
        for remark in narration.remarks(experiment, list(keys), data, backend):
            note(remark)
        for other in run_folder.unfinished(out, experiment):
            config = other / "experiment.yaml"
            note(f"{other} is unfinished; bnrenorm compare {config} --out {out} goes on with it")
        results = train()
        if spoilt := {keys[trial]: why for trial, why in results.items() if isinstance(why, Spoilt)}:
            more = f", and {len(spoilt) - 1} more" if len(spoilt) > 1 else ""
            note(f"{next(iter(spoilt.values()))}{more}: trained again")
            results = train(spoilt)
        lines = narration.failures({trial: failures[key] for trial, key in keys.items() if key in failures})
        for line in lines:
            note(line)
        outcome = Outcome(experiment, data, backend, _complete(results, store), folder, tuple(notes), tuple(lines))
        leave(outcome)
    return outcome


def rehearse(experiment: Experiment, data: Dataset, store: Store, memory: int, backend: Backend) -> Plan:
    """Plan what `run` would train, the stored trials that cannot be used among it. Raises InputError like `run`."""
    todo = plan(experiment, data, store, memory, backend)
    useless = [todo.keys[trial] for trial, result in _read(todo.keys, store).items() if isinstance(result, Spoilt)]
    return plan(experiment, data, store, memory, backend, useless)


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


def _read(keys: dict[Trial, str], store: Store) -> dict[Trial, TrialResults | Spoilt]:
    results: dict[Trial, TrialResults | Spoilt] = {}
    for trial, key in keys.items():
        try:
            results[trial] = store.read(key)
        except Spoilt as error:
            results[trial] = error
    return results


def _complete(results: dict[Trial, TrialResults | Spoilt], store: Store) -> list[tuple[Trial, TrialResults]]:
    complete = [(trial, result) for trial, result in results.items() if isinstance(result, TrialResults)]
    if len(complete) < len(results):
        raise OSError(f"{store.trials}: {len(results) - len(complete)} results were written, but cannot be read")
    return complete
