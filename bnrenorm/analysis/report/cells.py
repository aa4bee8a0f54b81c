"""The trials of a run by grid point and variant, as curves for the report's charts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnrenorm.analysis.over_steps import aligned, thin
from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.config.trial import Point
from bnrenorm.numbers import counted

POINTS = 60
"""Grid points that the charts over the steps draw: the first ones. Tables and files have all."""


@dataclass(frozen=True)
class Curves:
    """Curves of some seeds, each with its own steps and values."""

    seeds: list[int]
    steps: list[Any]
    values: list[Any]

    def thinned(self, most: int) -> "Curves":
        """Return the curves at the same steps, at most so many."""
        step, table = aligned(self.steps, self.values)
        kept = thin(len(step), most)
        return Curves(self.seeds, [step[kept]] * len(table), list(table[:, kept]))

    def less(self, other: "Curves") -> "Curves":
        """Return the differences to other curves of the same seeds and steps."""
        return Curves(
            self.seeds, self.steps, [np.subtract(a, b) for a, b in zip(self.values, other.values, strict=True)]
        )


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

    def curves(self, point: Point, variant: str, column: str) -> Curves | None:
        """Return a column of the records of a cell by step; None if no trial of it has it."""
        trained = [
            (trial.seed, result.records)
            for trial, result in self.trials.get((point, variant), [])
            if column in result.records
        ]
        if not trained:
            return None
        steps, values = zip(*((records["step"], records[column]) for _, records in trained), strict=True)
        return Curves([seed for seed, _ in trained], list(steps), list(values))

    def differences(self, point: Point, a: str, b: str, column: str) -> Curves | None:
        """Return the differences b - a of a column by step, a curve for every seed that has both."""
        by_seed: list[dict[int, Any]] = [
            {trial.seed: result.records for trial, result in self.trials.get((point, name), [])} for name in (a, b)
        ]
        differences = Curves([], [], [])
        for seed, of_a in by_seed[0].items():
            of_b = by_seed[1].get(seed, {})
            if column in of_a and column in of_b:
                step, table = aligned([of_a["step"], of_b["step"]], [of[column] for of in (of_a, of_b)])
                differences.seeds.append(seed)
                differences.steps.append(step)
                differences.values.append(table[1] - table[0])
        return differences if differences.seeds else None

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
