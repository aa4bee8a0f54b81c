"""The trials of a run by grid point and variant, as curves for the report's charts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bnrenorm.analysis.over_steps import aligned
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.config.trial import Point
from bnrenorm.numbers import counted

POINTS = 60
"""Grid points that the charts over the steps draw: the first ones. Tables and files have all."""


@dataclass(frozen=True)
class Diverged:
    """Trials that diverged, in words, "" if none did; `are_all`: no seed of some variant came to the end."""

    text: str
    are_all: bool


@dataclass(frozen=True)
class Cells:
    """A run's trials; a cell is a variant at a grid point."""

    results: ExperimentResults

    @cached_property
    def trials(self) -> dict[tuple[Point, str], TrainedTrials]:
        """The trained trials of every cell, as they are drawn."""
        cells: dict[tuple[Point, str], TrainedTrials] = {}
        for trial, result in self.results.drawn.trials:
            cells.setdefault((trial.point, trial.variant), []).append((trial, result))
        return cells

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants' names, in the experiment's order."""
        return self.results.experiment.variants

    @property
    def seeds(self) -> int:
        """Number of seeds of the experiment."""
        return len(self.results.experiment.seeds)

    @cached_property
    def points(self) -> list[Point]:
        """The grid points that are drawn."""
        return list(dict.fromkeys(point for point, _ in self.trials))[:POINTS]

    def curves(self, point: Point, variant: str, column: str) -> pd.DataFrame:
        """Return a column of the records of a cell as (T, S), by step and seed; empty if no trial of it has it."""
        return aligned(self._by_seed(point, variant, column))

    def differences(self, point: Point, a: str, b: str, column: str) -> pd.DataFrame:
        """Return the differences b - a of a column as (T, S), by step and seed, of the seeds that have both."""
        of_a, of_b = (self._by_seed(point, name, column) for name in (a, b))
        both = [seed for seed in of_a if seed in of_b]
        return aligned({seed: of_b[seed] for seed in both}) - aligned({seed: of_a[seed] for seed in both})

    def _by_seed(self, point: Point, variant: str, column: str) -> dict[int, tuple[list[float], list[float]]]:
        """Return the steps and the values of a column by the seeds of the trials that have it."""
        records = {trial.seed: result.records for trial, result in self.trials.get((point, variant), [])}
        return {seed: (own["step"], own[column]) for seed, own in records.items() if column in own}

    def layers(self) -> list[str]:
        """Return the normalisations that were diagnosed: "layer1", "layer2", ..."""
        names = {name.partition("_")[0] for _, result in self.results.trials for name in result.records}
        return sorted((name for name in names if name[:5] == "layer" and name[5:].isdigit()), key=lambda n: int(n[5:]))

    def diverged(self, point: Point, *variants: str) -> Diverged:
        """Return what is said of the trials of these variants at a grid point that diverged."""
        texts, are_all = [], False
        for variant in variants:
            outcomes = [result.outcome for _, result in self.trials.get((point, variant), [])]
            count, of = outcomes.count("diverged"), len(outcomes)
            if count:
                texts.append(f"{variant} diverged in {count} of {counted(of, 'seed')}")
            are_all |= 0 < count == of
        return Diverged(" and ".join(texts), are_all)

    def ended_early(self, point: Point, variant: str, column: str) -> list[tuple[int, float, float]]:
        """Return seed, step and last finite value of every trial of a cell that diverged."""
        ends = []
        for trial, result in self.trials.get((point, variant), []):
            if result.outcome == "diverged" and column in result.records:
                values = np.asarray(result.records[column], float)
                finite = np.flatnonzero(np.isfinite(values))
                last = int(finite[-1]) if len(finite) else -1
                ends.append((trial.seed, float(result.records["step"][last]), float(values[last])))
        return ends
