"""What may change from step to step: the limits of r and d, and the learning rates, one value per replica."""

from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.config.norms import Renorm
from bnrenorm.norm.schedule import Ramp

R_MAX, D_MAX, LR, AFFINE_LR = range(4)
"""Columns of `Schedule.table`."""


class Schedule:
    """The one source of these values for every engine.

    `r_max` and `d_max` are functions of the step that return (R, 1, 1); a replica without renormalisation has 1 and 0
    throughout, which is batch normalisation. `lr` and `affine_lr` (R, 1, 1) are float32: the learning rate, and that of
    gamma and beta.
    """

    def __init__(self, trials: list[Trial]):
        self.trials = trials
        norms = [trial.settings.norm for trial in trials]
        self.r_max = _ramp(norms, first=1.0, last="r_max", length="ramp_r")
        self.d_max = _ramp(norms, first=0.0, last="d_max", length="ramp_d")
        rates = [trial.settings.training.optimizer.lr for trial in trials]
        own = [getattr(norm, "affine_lr", None) for norm in norms]
        self.lr = _vector(rates).astype(np.float32)
        self.affine_lr = _vector([r if a is None else a for r, a in zip(rates, own, strict=True)]).astype(np.float32)

    def table(self, first: int, steps: int) -> np.ndarray:
        """Return the values of all steps from `first` on, float32 (steps, R, 4), Adam's bias correction included."""
        table = np.zeros((steps, len(self.trials), 4), np.float32)
        for s in range(steps):
            table[s, :, R_MAX] = self.r_max(first + s).ravel()
            table[s, :, D_MAX] = self.d_max(first + s).ravel()
        for replica, trial in enumerate(self.trials):
            optimizer: Any = trial.settings.training.optimizer
            own = getattr(trial.settings.norm, "affine_lr", None)
            correction = np.ones(steps)
            if optimizer.kind == "adam":
                t = 1.0 + first + np.arange(steps)
                correction = np.sqrt(1 - optimizer.beta2**t) / (1 - optimizer.beta1**t)
            table[:, replica, LR] = optimizer.lr * correction
            table[:, replica, AFFINE_LR] = (optimizer.lr if own is None else own) * correction
        return table


def _ramp(norms: list[Any], *, first: float, last: str, length: str) -> Ramp:
    def values(get: Any, otherwise: float) -> np.ndarray:
        return _vector([get(norm) if isinstance(norm, Renorm) else otherwise for norm in norms])

    return Ramp(
        first=first,
        last=values(lambda norm: getattr(norm, last), first),
        start=values(lambda norm: norm.warmup.amount, 0),
        length=values(lambda norm: getattr(norm, length).amount, 0),
    )


def _vector(values: list[float]) -> np.ndarray:
    return np.array(values, float).reshape(-1, 1, 1)
