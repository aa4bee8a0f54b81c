"""bnrenorm in a notebook: `load` an experiment, `run` it, look at its results."""

from pathlib import Path
from typing import Any

from bnrenorm import config
from bnrenorm.analysis import outputs
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.config import Experiment
from bnrenorm.engines import backend
from bnrenorm.runs import session
from bnrenorm.runs.memory import parse_memory
from bnrenorm.runs.session import Outcome, Watcher


def load(name: str | Path, *, seeds: int | list[int] | None = None, **overrides: Any) -> Experiment:
    """Load a shipped config by name, or any by path.

    Keyword arguments override settings, with two underscores for a dot: training__steps=10. Raises InputError.
    """
    chosen = overrides if seeds is None else {**overrides, "seeds": seeds}
    return config.load(name, values={key.replace("__", "."): value for key, value in chosen.items()})


def run(
    experiment: Experiment,
    *,
    device: str = "auto",
    engine: str = "auto",
    out: str | Path = "runs",
    memory: str | None = None,
    watcher: Watcher | None = None,
) -> ExperimentResults:
    """Train what `out` does not hold yet and return all results; does and leaves what `bnrenorm compare` does.

    device: "auto", "cpu" or "cuda:N"; engine: "auto", "cpu" (compiled) or "chainer"; memory: bound such as "4GiB", by
    default half of what is free; watcher: hears of the progress. Raises InputError for what the user can mend.
    """
    chosen = backend.choose(engine, device)
    bound = parse_memory(memory)
    return results_of(session.run(experiment, chosen, Path(out), memory=bound, watcher=watcher, leave=leave))


def leave(outcome: Outcome) -> None:
    """Write a run's files: `analysis.outputs`."""
    outputs.write(results_of(outcome))


def results_of(outcome: Outcome) -> ExperimentResults:
    """Return what a run found as tables, verdicts and figures."""
    return ExperimentResults(outcome.experiment, outcome.data, outcome.backend.device, outcome.trials, outcome.folder)
