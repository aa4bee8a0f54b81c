"""bnrenorm in a notebook: `load` an experiment, `run` it, look at its results."""

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from bnrenorm import config as configs
from bnrenorm import notebook
from bnrenorm.analysis import outputs
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.config import Experiment
from bnrenorm.config.build import KEYS
from bnrenorm.config.document import similar
from bnrenorm.config.explain import paths
from bnrenorm.engines import backend
from bnrenorm.errors import InputError, cut
from bnrenorm.runs import cluster as clusters
from bnrenorm.runs.finished import Outcome
from bnrenorm.runs.memory import parse_memory
from bnrenorm.runs.session import Session, Watcher

_PATH = str | os.PathLike
_ARGUMENTS = ("device", "engine", "tf32", "out", "memory", "workers", "dask", "progress", "watcher", "axes")  # of `run`
_SHOWN = 60  # characters of a value that a message repeats
_OPTION = re.compile(rf"(?<!\S)--({'|'.join(_ARGUMENTS)})\b( (?=\S+:))?")


def load(
    config: str | os.PathLike[str] | Mapping[str, Any], /, *, seeds: int | Iterable[int] | None = None, **overrides: Any
) -> Experiment:
    """Load a shipped config by name, any by path, a run's by its folder, or one as a dictionary.

    seeds: how many, from 0 on, or which ones; by default those of the config. Other keyword arguments override settings
    (docs/config.md), with two underscores for a dot: training__steps=10; None is YAML's null. Numbers and arrays of
    NumPy, ranges, tuples and paths are read as YAML's numbers, lists and text. The files under `plugins` are run.

    Raises InputError for a config or a setting that is not valid (`run` does where that depends on the images), and
    TypeError for a `config` of another type, for images in place of their path, and for an argument of `run`.
    """
    _require("config", config, Mapping | _PATH, "a config's name or path, or a dictionary")
    for name in overrides:
        if name in _ARGUMENTS:
            raise TypeError(f"{name} is an argument of bnrenorm.run, not of bnrenorm.load")
        if "__" in name or name in KEYS:
            continue
        settings = [*KEYS, *(str(path[-1]) for path in paths())]
        if (near := similar(name, (*settings, *_ARGUMENTS))) in _ARGUMENTS:
            raise TypeError(f"no setting is called {name}; did you mean {near}, an argument of bnrenorm.run?")
    images, expected = overrides.get("data"), "a path: save the images with np.savez, and give the file as data__path"
    if isinstance(images, Mapping):
        images = next((value for value in images.values() if getattr(value, "shape", ())), None)
    _require("data", images, _PATH | None, expected)
    _require("data__path", overrides.get("data__path"), _PATH | None, expected)
    chosen = overrides if seeds is None else {**overrides, "seeds": seeds}
    values = {key.replace("__", "."): value for key, value in chosen.items()}
    return configs.load(config if isinstance(config, Mapping) else os.path.expanduser(config), values=values)


@contextmanager
def _naming_arguments() -> Iterator[None]:
    """Context in which an InputError names arguments of `run`, in place of the options of the command line."""
    try:
        yield
    except InputError as error:
        error.args = (_OPTION.sub(lambda option: option[1] + "=" * bool(option[2]), str(error)), *error.args[1:])
        raise


@_naming_arguments()
def run(
    experiment: Experiment | str | os.PathLike[str] | Mapping[str, Any],
    *,
    device: str = "auto",
    engine: str = "auto",
    tf32: bool = False,
    out: str | os.PathLike[str] = "runs",
    memory: str | None = None,
    workers: int | None = None,
    dask: str | None = None,
    progress: bool = True,
    watcher: Watcher | None = None,
    axes: Literal["effect", "article"] = "effect",
    **others: Any,
) -> ExperimentResults:
    """Train what `out` does not hold yet and return all results; does and leaves what `bnrenorm compare` does.

    experiment: what `load` returns, or what it takes; device: "auto" (a GPU that computes, else the CPU),
    "cpu", "cuda" (the first GPU) or "cuda:N"; engine: "auto", "cpu" or "cuda" (compiled), or "chainer"; tf32: on a GPU,
    round the operands of products to TF32; out: folder of runs, made if needed; memory: bound such as "4GiB", by
    default half of what is free, and on a GPU 4/5 of what is free there; workers: train in so many processes of this
    machine, of a thread or a GPU each (a script that says so needs `if __name__ == "__main__":`, as these processes
    import it); dask: address of the scheduler of a Dask cluster that trains; progress: show below a notebook's cell
    what is trained and how far it is; watcher: a `runs.session.Watcher` that hears of the progress instead; axes: of
    the figures, "effect", on which small effects are seen, or "article", with losses from 0 to 4 and accuracies from
    0 to 100 %.

    An interrupt saves everything and is raised as `runs.interrupt.Interrupted`: the same call goes on from there. A
    second one, or one outside of the training, is a KeyboardInterrupt: finished trials and checkpoints are kept.
    Raises InputError for what the user can mend, TypeError for an argument of another type, and OSError where a disk,
    a GPU or the cluster fails. Warns of each figure that could not be drawn, and of trials that no worker survived.
    """
    if others:
        if near := [argument for argument in (similar(name, _ARGUMENTS) for name in others) if argument]:
            raise TypeError(f"bnrenorm.run has no argument {', '.join(others)}; did you mean {', '.join(near)}?")
        config = repr(experiment) if isinstance(experiment, _PATH) else "..."
        call = f"bnrenorm.run(bnrenorm.load({config}, {'=..., '.join(others)}=...))"
        raise TypeError(f"bnrenorm.run has no argument {', '.join(others)}; settings go to load: {call}")
    expected = "a config's name or path, a dictionary, or what bnrenorm.load returns"
    _require("experiment", experiment, Experiment | Mapping | _PATH, expected)
    _require("device", device, str, "a name such as 'cuda:0'")
    _require("engine", engine, str, "a name such as 'chainer'")
    _require("tf32", tf32, bool, "True or False")
    _require("out", out, _PATH, "a folder")
    _require("memory", memory, str | None, "a size such as '4GiB'")
    _require("workers", workers, int | None, "a number of processes")
    _require("dask", dask, str | None, "an address such as 'tcp://scheduler:8786'")
    cluster = clusters.chosen(workers, dask)
    if axes not in ("effect", "article"):
        raise InputError(f"axes={axes!r}: expected 'effect' or 'article'")
    _require("progress", progress, bool, "True or False")
    _require("watcher", watcher, Watcher | None, "a Watcher")
    loaded = experiment if isinstance(experiment, Experiment) else load(experiment)
    chosen = backend.choose(engine, device, tf32=tf32)
    bound = parse_memory(memory, chosen.device, clusters.processes(cluster))
    watcher = watcher or (notebook.CellOutput() if progress and notebook.is_running() else Watcher())
    folder = Path(os.path.expanduser(out))
    try:
        with Session(loaded, chosen, folder, memory=bound, watcher=watcher, cluster=cluster).run() as outcome:
            results = results_of(outcome)
            outputs.write_tables(results)
            failures = [*outcome.failures, *outputs.write_pictures(results, axes)]
    except KeyboardInterrupt:  # outside of the training, or a second one
        watcher.note(
            "interrupted; finished trials are kept, run the same again, and it goes on from the last checkpoint"
        )
        raise
    for failure in failures:
        warnings.warn(failure, stacklevel=3)
    return results


def results_of(outcome: Outcome) -> ExperimentResults:
    """Return what a run found as tables, verdicts and figures."""
    return ExperimentResults(
        outcome.experiment, outcome.data, outcome.device, outcome.trials, outcome.folder, outcome.notes
    )


def _require(name: str, value: Any, types: Any, expected: str) -> None:
    if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
        shape = getattr(value, "shape", ())
        shown = f"{type(value).__name__} {shape}" if shape else cut(repr(value), _SHOWN)
        raise TypeError(f"{name}={shown}: expected {expected}")
