"""One run of an experiment: load the data, lock the folder, plan, compile, train, write the outputs.

The command line and `bnrenorm.run` both call `run`, so that both lock, resume and write the same files.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bnrenorm.config import Experiment, Trial
from bnrenorm.config.schema import Data
from bnrenorm.data import dataset
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CPU, Backend
from bnrenorm.runs import run_folder, runner
from bnrenorm.runs.plan import Plan, plan
from bnrenorm.runs.runner import Report
from bnrenorm.runs.store import Store
from bnrenorm.training.records import TrialResults


@dataclass(frozen=True)
class Outcome:
    """The results of a run: its trials in the experiment's order, and the run folder."""

    experiment: Experiment
    data: Dataset
    backend: Backend
    trials: list[tuple[Trial, TrialResults]]
    folder: Path


class Watcher:
    """Callbacks that show the progress of a run; these show nothing."""

    def opening(self, experiment: Experiment, trials: list[Trial], data: Dataset, backend: Backend) -> None:
        """Called before the training with what will be trained."""

    def note(self, text: str) -> None:
        """Called with a remark that the user should read, without a full stop."""

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
) -> Outcome:
    """Train the trials that `out` does not contain yet, then call `leave` to write the outputs to the run folder.

    memory: bytes that a group may take; load: maps the data settings to the images. Raises InputError for mistakes that
    the user can fix, before anything is written; Interrupted after a SIGINT or SIGTERM, with everything saved; OSError
    if the disk fails.
    """
    watcher = watcher or Watcher()
    data, store = load(experiment.data), Store(out)
    todo = plan(experiment, data, store, memory, backend)
    store.prepare()
    with run_folder.opened(out, experiment) as folder:
        watcher.opening(experiment, list(todo.keys), data, backend)
        for other in run_folder.unfinished(out, experiment):
            config = other / "experiment.yaml"
            watcher.note(f"{other} is unfinished; bnrenorm compare {config} --out {out} goes on with it")
        _train(todo, data, store, backend, watcher)
        results = _read(todo, store)
        if spoilt := [todo.keys[trial] for trial, result in results.items() if result is None]:
            for key in spoilt:
                store.forget(key)
            _train(plan(experiment, data, store, memory, backend), data, store, backend, watcher)
            results = _read(todo, store)
        outcome = Outcome(experiment, data, backend, _complete(results, store), folder)
        leave(outcome)
    return outcome


def _train(todo: Plan, data: Dataset, store: Store, backend: Backend, watcher: Watcher) -> None:
    if backend.engine == CPU and todo.groups:
        from bnrenorm.engines.cpu import compilation  # takes numba's import time

        if missing := compilation.missing(group[0].settings for group in todo.groups):
            with watcher.compiling():
                compilation.compile_kernels(missing)
    with watcher.training() as report:
        runner.train(todo, data, store, backend, report)


def _read(todo: Plan, store: Store) -> dict[Trial, TrialResults | None]:
    return {trial: store.read(key) for trial, key in todo.keys.items()}


def _complete(results: dict[Trial, TrialResults | None], store: Store) -> list[tuple[Trial, TrialResults]]:
    complete = [(trial, result) for trial, result in results.items() if result is not None]
    if len(complete) < len(results):
        raise OSError(f"{store.trials}: {len(results) - len(complete)} results were written, but cannot be read")
    return complete
