"""What is paired: two variants at a grid point, by the seeds that both have."""

import math
from dataclasses import dataclass

import numpy as np

from bnrenorm.analysis import stats
from bnrenorm.analysis.tables import TrainedTrials
from bnrenorm.config.comparisons import Comparison, comparisons
from bnrenorm.config.trial import Point
from bnrenorm.training.records import final_record

METRIC = "final_test_accuracy"
"""The column of `tables.summary` that is compared."""


@dataclass(frozen=True)
class Pair:
    """Two variants at a grid point, the `seeds` that both have, and the values (S,) of those in which both `finished`.

    Where no setting depends on the seed (`is_once`), all seeds are one measurement, and the values are those of one.
    `diverged` counts the seeds by variant, `alone` those in which the other one finished.
    """

    compared: Comparison
    seeds: list[int]
    finished: tuple[int, ...]
    values: tuple[np.ndarray, np.ndarray]
    diverged: dict[str, int]
    alone: tuple[int, int]

    def more(self, difference: stats.PairedDifference) -> int:
        """Return how many further seeds a decision needs, if as many of them diverge as so far."""
        pairs = len(difference.differences)
        if not 0 < pairs < len(self.seeds) or self.compared.is_once:
            return difference.more_pairs
        return math.ceil(difference.more_pairs * len(self.seeds) / pairs)

    @property
    def is_tested(self) -> bool:
        """Whether the pair belongs to the family: neither known to be equal, nor measured once, nor without values."""
        return self.compared.is_tested and (not self.seeds or len(self.values[0]) > 0)


def pairs_compared(trials: TrainedTrials, baseline: str | None) -> list[Pair]:
    """Return the pairs that are compared: by grid point, then in the variants' order, the baseline first."""
    cells: dict[tuple[str, Point], dict[int, tuple[str, float]]] = {}  # by seed: outcome and `METRIC`
    for trial, result in trials:
        accuracy = result.records["test_accuracy"][final_record(result.records, trial.watched)]
        cells.setdefault((trial.variant, trial.point), {})[trial.seed] = result.outcome, accuracy
    pairs = []
    for compared in comparisons((trial for trial, _ in trials), baseline):
        of = {name: cells[name, compared.point] for name in (compared.a, compared.b)}
        seeds = [seed for seed in of[compared.a] if seed in of[compared.b]]
        lost = {name: {seed for seed in seeds if own[seed][0] == "diverged"} for name, own in of.items()}
        in_a, in_b = lost.values()
        finished = [seed for seed in seeds if seed not in in_a | in_b]
        finished = finished[:1] if compared.is_once else finished
        a, b = (np.array([own[seed][1] for seed in finished], float) for own in of.values())
        diverged = {name: len(own) for name, own in lost.items()}
        pairs.append(Pair(compared, seeds, tuple(finished), (a, b), diverged, (len(in_a - in_b), len(in_b - in_a))))
    return pairs
