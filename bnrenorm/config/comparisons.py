"""Which pairs of variants an experiment compares, at which grid points, and which of these seeds can tell apart."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from bnrenorm.config.identity import computation, reason
from bnrenorm.config.trial import Point, Trial


@dataclass(frozen=True)
class Comparison:
    """Two variants at a grid point. `identical_because` is the reason why they are the same computation, None if not.

    is_once: neither depends on the seed, so that all seeds are one measurement. measured: the two computations; what a
    grid does not change is measured once, and compared at each of its points.
    """

    a: str
    b: str
    point: Point
    identical_because: str | None
    is_once: bool
    measured: frozenset[str]

    @property
    def is_tested(self) -> bool:
        """Whether seeds can tell the variants apart."""
        return self.identical_because is None and not self.is_once


def comparisons(trials: Iterable[Trial], baseline: str | None = None) -> list[Comparison]:
    """Return what is compared of some trials: by grid point, then in the variants' order, the baseline first.

    Every pair of variants, or every other variant with `baseline`, where there are trials of both.
    """
    cells: dict[Point, dict[str, Trial]] = {}  # by variant, the trial of its first seed
    names: dict[str, None] = {}
    for trial in trials:
        cells.setdefault(trial.point, {}).setdefault(trial.variant, trial)
        names[trial.variant] = None
    if baseline is None:
        pairs = list(itertools.combinations(names, 2))
    else:
        pairs = [(baseline, name) for name in names if name != baseline]
    compared = []
    for point, cell in cells.items():
        computed = {name: computation(trial.settings) for name, trial in cell.items()}
        for a, b in pairs:
            if a in cell and b in cell:
                measured = frozenset((computed[a], computed[b]))
                why = reason(a, cell[a].settings, b, cell[b].settings) if len(measured) == 1 else None
                is_once = not (cell[a].depends_on_seed or cell[b].depends_on_seed)
                compared.append(Comparison(a, b, point, why, is_once, measured))
    return compared


def family_size(of: Iterable[Comparison]) -> int:
    """Return over how many comparisons Holm's correction is: those that are tested, what is measured once only once."""
    return len({compared.measured for compared in of if compared.is_tested})
