"""The figures that a notebook asks for: `results.plot`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.text import Text

from bnrenorm.analysis.plots import axes, effects, fonts, gains
from bnrenorm.analysis.verdicts import Verdict
from bnrenorm.config.document import unknown
from bnrenorm.errors import InputError

if TYPE_CHECKING:
    from bnrenorm.analysis.results import ExperimentResults

At = Mapping[str, Any]
"""Values of axes of the grid, as {"training.batch.size": 4}."""


@dataclass(frozen=True)
class Plot:
    """The figures of some results. Every method draws on a Matplotlib `ax`, by default of a new figure, and returns it.

    `at` restricts a figure to the grid points with these values, as {"training.batch.size": 4}. `accuracy` and
    `difference` draw the points next to each other; `curves`, `diagnosis` and `difference_by_step` draw one point, so
    that `at` must name a value of every axis.

    Every method raises TypeError if `ax` is no Matplotlib Axes, and InputError for a name or value that the results do
    not have.
    """

    results: "ExperimentResults"

    def curves(self, ax: Any = None, metric: str = "test_accuracy", at: At | None = None) -> Axes:
        """Draw a column of `results.curves` over the steps: mean of each variant, its interval from 6 seeds on.

        Accuracies are in %.
        """
        return self._over_steps(ax, "curves", metric, at)

    def diagnosis(self, ax: Any = None, metric: str = "inference_mode_accuracy", at: At | None = None) -> Axes:
        """Draw a column of `results.diagnostics` over the steps, one line per variant."""
        return self._over_steps(ax, "diagnostics", metric, at)

    def accuracy(self, ax: Any = None, at: At | None = None) -> Axes:
        """Draw the final test accuracy of every variant over the grid, in %."""
        fixed = self._fixed(at)
        table = _restricted(self.results.summary, fixed)
        return _finish(gains.accuracies(_checked(ax), table, [key for key in self._grid if key not in fixed]))

    def difference(self, ax: Any = None, only: tuple[str, str] | None = None, at: At | None = None) -> Axes:
        """Draw the paired differences in final test accuracy with their intervals over the grid, in percentage points.

        `only` selects one pair of variants: ("BN", "BRN") for BRN - BN, ("BRN", "BN") for BN - BRN. Where there are too
        few seeds for an interval, the mean is a hollow square, and the title says so.
        """
        fixed = self._fixed(at)
        verdicts: list[Verdict] = [
            {**verdict, "point": {key: value for key, value in verdict["point"].items() if key not in fixed}}
            for verdict in self._compared(only, fixed)
        ]
        ax = gains.differences(_checked(ax), verdicts, self._looks(verdicts))
        if any(verdict["low"] is None for verdict in verdicts):
            ax.set_title(effects.pairing(verdicts))
        return _finish(ax)

    @property
    def _grid(self) -> dict[str, list[Any]]:
        """The values of each axis of the grid."""
        points = [dict(point) for point in self.results.experiment.points]
        return {key: list(dict.fromkeys(point[key] for point in points)) for key in points[0]}

    def difference_by_step(self, ax: Any = None, only: tuple[str, str] | None = None, at: At | None = None) -> Axes:
        """Draw the paired differences in test accuracy over the steps with their intervals, in percentage points.

        `only` selects a pair as in `difference`. The grey zone holds the differences that count as equivalent.
        """
        fixed = self._one_point(at)
        verdicts = self._compared(only, fixed)
        table = _restricted(self.results.drawn.curves, fixed)
        return _finish(gains.by_step(_checked(ax), table, verdicts, self._looks(verdicts)))

    def _looks(self, verdicts: list[Verdict]) -> gains.PairLooks:
        """Return looks for the pairs that are drawn, the same whichever are."""
        of_all = gains.pair_looks([*self.results.verdicts, *verdicts], self.results.experiment.variants)
        return {(verdict["a"], verdict["b"]): of_all[verdict["a"], verdict["b"]] for verdict in verdicts}

    def _over_steps(self, ax: Any, source: str, metric: str, at: At | None) -> Axes:
        table: pd.DataFrame = getattr(self.results.drawn, source)
        columns = list(table.columns)
        metrics = columns[columns.index("epoch") + 1 :]
        if not metrics:
            raise InputError(f"results.{source} has nothing to draw: no variant has batch normalisation")
        if metric not in metrics:
            raise InputError(f"metric={metric!r}: {unknown(str(metric), metrics, f'column of results.{source}')}")
        fixed = self._one_point(at)
        ax = axes.label_ends(axes.curves(_checked(ax), _restricted(table, fixed), metric), metric)
        ax.set_ylabel(metric.replace("_", " ") + (" (%)" if metric.endswith("accuracy") else ""))
        return _finish(ax)

    def _one_point(self, at: At | None) -> dict[str, Any]:
        """Return `_fixed(at)`, which must leave one grid point."""
        fixed = self._fixed(at)
        if open_axes := {key: values for key, values in self._grid.items() if key not in fixed and len(values) > 1}:
            example = fixed | {key: values[0] for key, values in open_axes.items()}
            raise InputError(f"at={at!r}: one grid point expected, such as at={example}; {_listed(open_axes)}")
        return fixed

    def _fixed(self, at: At | None) -> dict[str, Any]:
        """Return `at` with lists and arrays as tuples, as the grid has lists."""
        if not isinstance(at, Mapping | None):
            raise InputError(f"at={at!r}: expected values of the grid's axes, such as {{'training.batch.size': 4}}")
        plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in (at or {}).items()}
        fixed = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
        if fixed and not self._grid:
            raise InputError(f"at={at!r}: this experiment has no grid")
        for key, value in fixed.items():
            if key not in self._grid:
                raise InputError(f"at={at!r}: {unknown(str(key), self._grid, 'axis of the grid')}")
            if value not in self._grid[key]:
                raise InputError(f"at={at!r}: {value!r} is not on the grid; {_listed({key: self._grid[key]})}")
        return fixed

    def _compared(self, only: tuple[str, str] | None, fixed: dict[str, Any]) -> list[Verdict]:
        """Return the verdicts at fixed values of axes, on all pairs or on the second variant of one minus the first."""
        verdicts = [verdict for verdict in self._pairs(only) if fixed.items() <= verdict["point"].items()]
        if not verdicts:
            raise InputError(f"at={fixed!r}: there are no trials of two variants to compare")
        return verdicts

    def _pairs(self, only: tuple[str, str] | None) -> list[Verdict]:
        variants, verdicts = self.results.experiment.variants, self.results.verdicts
        if not verdicts:
            raise InputError(f"difference: expected two variants to compare, this experiment has {', '.join(variants)}")
        if only is None:
            return verdicts
        if not isinstance(only, tuple | list) or len(only) != 2:
            raise InputError(f"only={only!r}: expected two variants, such as ('BN', 'BRN') for BRN - BN")
        for name in only:
            if name not in variants:
                raise InputError(f"only={only!r}: {unknown(str(name), variants, 'variant')}")
        both_ways = [*verdicts, *map(_reversed, verdicts)]
        selected = [verdict for verdict in both_ways if (verdict["a"], verdict["b"]) == tuple(only)]
        if not selected:
            raise InputError(f"only={only!r}: these two were not compared")
        return selected


def _restricted(table: Any, fixed: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of a table at the fixed values of the grid's axes; None is NaN in some columns."""
    for key, value in fixed.items():
        cells = table[key]
        table = table[cells.isna() if value is None else [cell == value for cell in cells]]
    return table


def _reversed(verdict: Verdict) -> Verdict:
    """Return a verdict on b - a as one on a - b."""
    mean, low, high = (
        None if value is None else -value for value in (verdict["mean"], verdict["low"], verdict["high"])
    )
    turned: Verdict = {**verdict, "a": verdict["b"], "b": verdict["a"], "mean": mean, "low": high, "high": low}
    return {**turned, "differences": [-value for value in verdict["differences"]]}


def _listed(grid: dict[str, list[Any]]) -> str:
    return "; ".join(f"{key} has {', '.join(map(str, values))}" for key, values in grid.items())


def _checked(ax: Any) -> Axes:
    """Return `ax`, or the ax of a new pyplot figure, which a notebook shows."""
    if ax is None:
        return pyplot.figure(figsize=(8, 5), layout="constrained").subplots()
    if not isinstance(ax, Axes):
        raise TypeError(f"ax={ax!r:.60}: expected a Matplotlib Axes")
    return ax


def _finish(ax: Axes) -> Axes:
    """Add the legend, and have Matplotlib read all texts as `names.plain` writes them; return `ax`."""
    ax.legend(frameon=False)
    for text in ax.findobj(Text):
        text.set_usetex(False)
        text.set_parse_math(True)
    fonts.complete(ax)
    return ax
