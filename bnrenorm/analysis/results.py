"""The results of an experiment, as tables, verdicts and figures."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bnrenorm import published as publications
from bnrenorm.analysis import published, tables
from bnrenorm.analysis.plots import axes, pages
from bnrenorm.config import Experiment
from bnrenorm.config.identity import identities
from bnrenorm.data.dataset import Dataset
from bnrenorm.published import Published


@dataclass(frozen=True)
class ExperimentResults:
    """The trained trials of an experiment; `folder` is where its files stand."""

    experiment: Experiment
    data: Dataset
    device: str
    trials: tables.Results
    folder: Path

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
    def published(self) -> Published | None:
        """The published table that the experiment names, if it does."""
        name = self.experiment.published
        return None if name is None else publications.read(name)

    @cached_property
    def published_differences(self) -> pd.DataFrame | None:
        """Published differences next to ours; None without a table, or with one of the same network (see below)."""
        table = self.published
        return None if table is None or table.values else published.compare_differences(table, self.verdicts)

    @cached_property
    def published_values(self) -> pd.DataFrame | None:
        """Published values next to ours; None without a table of the same network and images."""
        table = self.published
        return published.compare_values(table, self.summary) if table is not None and table.values else None

    @property
    def plot(self) -> "Plot":
        """The figures: results.plot.curves(ax, "test_accuracy"), results.plot.difference(ax)."""
        return Plot(self)


@dataclass(frozen=True)
class Plot:
    """The figures of some results; every method draws on a matplotlib `ax`, a new one by default, and returns it."""

    results: ExperimentResults

    def curves(self, ax: Any = None, metric: str = "test_accuracy") -> Any:
        """Draw a column of the curves over the steps, a line per variant."""
        return axes.label_ends(axes.curves(ax or pages.new_ax(), self.results.curves, metric))

    def diagnosis(self, ax: Any = None, metric: str = "inference_mode_accuracy") -> Any:
        """Draw a column of the diagnostics over the steps, a line per variant."""
        return axes.label_ends(axes.curves(ax or pages.new_ax(), self.results.diagnostics, metric))

    def accuracy(self, ax: Any = None) -> Any:
        """Draw the final test accuracy of every variant over the grid."""
        keys = [key for key, _ in self.results.experiment.points[0]]
        return axes.accuracies(ax or pages.new_ax(), self.results.summary, keys)

    def difference(self, ax: Any = None, only: tuple[str, str] | None = None) -> Any:
        """Draw the paired differences in final test accuracy with their intervals, over the grid.

        `only` names one pair of variants, as ("BN", "BRN") for BRN - BN.
        """
        shown = [verdict for verdict in self.results.verdicts if only in (None, (verdict["a"], verdict["b"]))]
        return axes.differences(ax or pages.new_ax(), shown)
