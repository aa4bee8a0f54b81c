"""The laboratory in a notebook: `load` an experiment, `run` it, look at the `Results`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bnrenorm import beside, compilation, config, device, directions, figures, plots, published, runner, tables
from bnrenorm.config import Experiment
from bnrenorm.config.identity import identities
from bnrenorm.data import dataset
from bnrenorm.data.dataset import Dataset
from bnrenorm.device import FUSED, choose_kernels
from bnrenorm.memory import parse_memory
from bnrenorm.plan import plan
from bnrenorm.store import Store


def load(name: str | Path, *, seeds: int | list[int] | None = None, **overrides: Any) -> Experiment:
    """Load a shipped config by name or any by path.

    Keyword arguments override settings, with two underscores for a dot: training__steps=10. Raises InputError.
    """
    chosen = overrides if seeds is None else {**overrides, "seeds": seeds}
    return config.load(name, values={key.replace("__", "."): value for key, value in chosen.items()})


def run(
    experiment: Experiment,
    *,
    device: str = "auto",
    kernels: str = "auto",
    out: str | Path = "runs",
    memory: str | None = None,
    report: Callable[[runner.Progress], None] = lambda progress: None,
) -> "Results":
    """Train what `out` does not hold yet and return all results. Raises InputError for what the user can mend."""
    on = _choose(device)
    kernels = choose_kernels(kernels, on)
    data = dataset.load(experiment.data_path)
    store = Store(Path(out))
    store.prepare()
    todo = plan(experiment, data, store, parse_memory(memory), kernels)
    if kernels == FUSED and (missing := compilation.missing(todo.groups)):
        compilation.compile_kernels(missing)
    found = runner.run(todo, data, store, on=on, kernels=kernels, report=report)
    return Results(experiment, data, found, on, kernels)


_choose = device.choose


@dataclass(frozen=True)
class Results:
    """The trained trials of an experiment, as tables (pandas), verdicts and figures."""

    experiment: Experiment
    data: Dataset
    trials: tables.Results
    device: str
    kernels: str

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row per record: `tables.curves`."""
        return tables.curves(self.trials)

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """One row per record, what the normalisation did: `tables.diagnostics`."""
        return tables.diagnostics(self.trials)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per trial: `tables.summary`."""
        return tables.summary(self.trials)

    @cached_property
    def verdicts(self) -> list[dict[str, Any]]:
        """One entry per pair of variants and grid point: `tables.verdicts`."""
        return tables.verdicts(self.trials, identities([trial for trial, _ in self.trials]))

    @cached_property
    def published(self) -> published.Published | None:
        """The published table that the experiment names, if it does."""
        return None if self.experiment.published is None else published.read(self.experiment.published)

    @cached_property
    def directions(self) -> pd.DataFrame | None:
        """Published differences beside ours: `directions.compare`; None without a table of another network's."""
        found = self.published
        return None if found is None or found.values else directions.compare(found, self.verdicts)

    @cached_property
    def beside(self) -> pd.DataFrame | None:
        """Published values beside ours: `beside.compare`; None without a table of the same network's."""
        found = self.published
        return beside.compare(found, self.summary) if found is not None and found.values else None

    @property
    def plot(self) -> "Plot":
        """The figures: results.plot.curves(ax, "test_accuracy"), results.plot.difference(ax)."""
        return Plot(self)


@dataclass(frozen=True)
class Plot:
    """The figures of some results; every method draws on a matplotlib `ax`, a new one by default, and returns it."""

    results: Results

    def curves(self, ax: Any = None, metric: str = "test_accuracy") -> Any:
        """Draw a column of the curves over the steps, a line per variant."""
        return plots.end_labels(plots.curves(ax or figures.new_ax(), self.results.curves, metric))

    def diagnosis(self, ax: Any = None, metric: str = "inference_mode_accuracy") -> Any:
        """Draw a column of the diagnostics over the steps, a line per variant."""
        return plots.end_labels(plots.curves(ax or figures.new_ax(), self.results.diagnostics, metric))

    def accuracy(self, ax: Any = None) -> Any:
        """Draw the final test accuracy of every variant over the grid."""
        return plots.accuracies(ax or figures.new_ax(), self.results.summary, self._axes)

    def difference(self, ax: Any = None, only: tuple[str, str] | None = None) -> Any:
        """Draw the paired differences in final test accuracy with their intervals, over the grid.

        `only` names one pair of variants, as ("BN", "BRN") for BRN - BN.
        """
        shown = [each for each in self.results.verdicts if only in (None, (each["a"], each["b"]))]
        return plots.differences(ax or figures.new_ax(), shown)

    @property
    def _axes(self) -> list[str]:
        return [key for key, _ in self.results.experiment.points[0]]
