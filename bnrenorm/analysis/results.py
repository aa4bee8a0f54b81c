"""The results of an experiment, as tables, verdicts and figures."""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bnrenorm import atomic, disk
from bnrenorm import published as published_tables
from bnrenorm.analysis import aggregates, cautions, display, published, stopped, tables, verdicts
from bnrenorm.config import TRIALS, TRIALS_LIST, Experiment
from bnrenorm.data.described import Described
from bnrenorm.errors import InputError
from bnrenorm.numbers import counted
from bnrenorm.published import Published

if TYPE_CHECKING:
    from bnrenorm.analysis.plots.notebook import Plot


@dataclass(frozen=True, repr=False, eq=False)
class ExperimentResults:
    """The trained trials of an experiment, with its images, the device ("cpu" or "cuda:N") and its run folder.

    `data` says which images; `notes` are the remarks that were made during the run. The tables are computed when first
    asked for. `plot` draws: results.plot.curves(metric="train_loss").
    """

    experiment: Experiment
    data: Described
    device: str
    trials: tables.TrainedTrials
    folder: Path
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ExperimentResults({self.headline}; in {self.folder})"

    def _repr_html_(self) -> str:
        return display.page(self)

    @property
    def headline(self) -> str:
        """What was trained, in a line: the experiment, its variants, how many seeds and trials, and the device."""
        experiment = self.experiment
        seeds, trials = counted(len(experiment.seeds), "seed"), counted(len(self.trials), "trial")
        return f"{experiment.name}: {', '.join(experiment.variants)}; {seeds}; {trials} on {self.device}"

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Losses and accuracies, one row per record: `tables.curves`."""
        return tables.curves(self.trials)

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """What the normalisation did, one row per record: `tables.diagnostics`."""
        return tables.diagnostics(self.trials)

    @property
    def stops_early(self) -> bool:
        """Whether any trial has early stopping, whose final values are those that were best on validation."""
        return any(trial.watched for trial, _ in self.trials)

    @cached_property
    def drawn(self) -> "ExperimentResults":
        """The results as their curves are drawn: those of trials that stopped early go on (`stopped.continued`)."""
        return replace(self, trials=stopped.continued(self.trials)) if self.stops_early else self

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Outcome, final and best values, one row per trial: `tables.summary`."""
        return tables.summary(self.trials)

    @cached_property
    def final(self) -> pd.DataFrame:
        """Means of final values over seeds, one row per variant and grid point: `aggregates.final_values`."""
        return aggregates.final_values(self.summary)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """The paired comparisons as a table, one row per entry of `verdicts`: `aggregates.differences`."""
        return aggregates.differences(self.verdicts)

    @cached_property
    def verdicts(self) -> list[verdicts.Verdict]:
        """The paired comparisons, one entry per pair of variants and grid point: `verdicts.verdicts`."""
        return verdicts.verdicts(self.trials, self.experiment.baseline, self.experiment.margin / 100)

    @cached_property
    def cautions(self) -> list[str]:
        """What the numbers say against trusting the verdicts, in a remark each: `cautions.cautions`."""
        return cautions.cautions(self.verdicts, self.trials, self.summary, self.data)

    @property
    def loss(self) -> str:
        """What the losses are, such as "mean cross entropy (nats)", joined by " or " where variants differ."""
        names = {"cross_entropy": "mean cross entropy (nats)", "squared_error": "half the squared error"}
        used = [
            f"{names[settings.training.loss]}{' with penalty' * settings.evaluation.penalty}"
            for settings in self.experiment.settings.values()
        ]
        return " or ".join(dict.fromkeys(used))

    @property
    def training_values(self) -> str:
        """What final training values are, in a sentence; "" where they are of the whole training set."""
        whole = {settings.evaluation.training_set for settings in self.experiment.settings.values()}
        if whole == {True}:
            return ""
        but = ", but where evaluation.training_set is true" if True in whole else ""
        return f"Training values are means over the batches since the last record, in training mode{but}."

    @cached_property
    def published(self) -> Published | None:
        """The published table that the experiment names; None if it names none."""
        name = self.experiment.published
        return None if name is None else published_tables.read(name)

    @cached_property
    def published_differences(self) -> pd.DataFrame | None:
        """Published and measured differences, where only these compare (`published.compare_differences`); else None."""
        table = self.published
        return None if table is None or table.values else published.compare_differences(table, self.verdicts)

    @cached_property
    def published_values(self) -> pd.DataFrame | None:
        """Published and measured values, where network and images are ours (`published.compare_values`); else None."""
        table = self.published
        if table is None or not table.values:
            return None
        cells = published.other_cells(self.experiment)
        others = {row for row, (trial, _) in enumerate(self.trials) if (trial.variant, trial.point) in cells}
        return published.compare_values(table, self.summary, others)

    @property
    def published_count(self) -> str | None:
        """How many published values agree with ours, in a line, where `published_values` has them; else None."""
        return None if self.published_values is None else published.count(self.published_values)

    def save(self, folder: str | Path) -> Path:
        """Write into another folder what a run leaves: experiment, tables, verdicts, figures, report; return its path.

        Raises InputError if there is a file of that name, another run, or the folder of all of them, and OSError if the
        disk fails. Warns of each figure, and of the report, if they cannot be drawn.
        """
        from bnrenorm.analysis import outputs  # which imports this module

        target = Path(folder).expanduser()
        if disk.is_file(target):
            raise InputError(f"{target}: is a file, expected a folder")
        is_other = disk.exists(target / TRIALS_LIST) and target.resolve() != self.folder.resolve()
        if is_other or disk.is_folder(target / TRIALS):
            raise InputError(f"{target}: has the results of others, expected a folder of its own")
        for name, content in self.experiment.files().items():
            disk.make((target / name).parent)
            atomic.write(target / name, content)
        there = replace(self, folder=target)
        outputs.write_tables(there)
        for failure in outputs.write_pictures(there):
            warnings.warn(failure, stacklevel=2)
        return target

    @property
    def plot(self) -> "Plot":
        """The figures: results.plot.curves(metric="test_accuracy"), results.plot.difference()."""
        from bnrenorm.analysis.plots.notebook import Plot  # not above: results need no Matplotlib

        return Plot(self)
