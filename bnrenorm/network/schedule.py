"""Schedules of a group: limits of r and d, and learning rates, one value per replica."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.norm.schedule import Ramp, limits

R_MAX, D_MAX, LR, AFFINE_LR = range(4)
"""Columns of `Schedule.table`."""


class Schedule:
    """Limits and learning rates of a group of trials, used by every engine.

    `r_max` and `d_max` are functions of the step that return float64 (R, 1, 1); a replica without renormalisation
    always has 1 and 0, which is batch normalisation. `lr` and `affine_lr`, float32 (R, 1, 1), are the learning rates of
    the weights and of gamma and beta.
    """

    def __init__(self, trials: list[Trial]):
        self.r_max, self.d_max = map(_stacked, zip(*(limits(trial.settings.norm) for trial in trials), strict=True))
        optimizers: list[Any] = [trial.settings.training.optimizer for trial in trials]
        self._rates = np.array([rule.lr for rule in optimizers]), np.array([_affine_rate(trial) for trial in trials])
        self.lr, self.affine_lr = (rates.astype(np.float32).reshape(-1, 1, 1) for rates in self._rates)
        betas = [(rule.beta1, rule.beta2) if rule.kind == "adam" else (0.0, 0.0) for rule in optimizers]
        self._betas = np.array(betas).T  # of other optimizers 0, which corrects nothing

    def table(self, first: int, steps: int) -> np.ndarray:
        """Return the values at `steps` steps from step `first` on, float32 (steps, R, 4).

        The columns are R_MAX, D_MAX, LR and AFFINE_LR; learning rates include Adam's bias correction.
        """
        table = np.empty((steps, len(self.lr), 4), np.float32)
        step = first + np.arange(steps).reshape(-1, 1, 1, 1)
        table[:, :, R_MAX] = self.r_max(step)[..., 0, 0]
        table[:, :, D_MAX] = self.d_max(step)[..., 0, 0]
        (beta1, beta2), t = self._betas, 1.0 + first + np.arange(steps).reshape(-1, 1)
        correction = np.sqrt(1 - beta2**t) / (1 - beta1**t) if self._betas.any() else 1.0
        for column, rates in zip((LR, AFFINE_LR), self._rates, strict=True):
            table[:, :, column] = correction * rates
        return table


def _affine_rate(trial: Trial) -> float:
    """Return the learning rate of gamma and beta."""
    rate = getattr(trial.settings.norm, "affine_lr", None)
    return trial.settings.training.optimizer.lr if rate is None else rate


def _stacked(ramps: Iterable[Ramp]) -> Ramp:
    """Return ramps of numbers as one of arrays (R, 1, 1)."""
    fields = zip(*((ramp.first, ramp.last, ramp.start, ramp.length) for ramp in ramps), strict=True)
    return Ramp(*(np.array(values, float).reshape(-1, 1, 1) for values in fields))
