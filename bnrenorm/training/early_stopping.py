"""Early stopping: each replica's best record on the validation split, and the number of records since."""

from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.training.state import State


class EarlyStopping:
    """Applies each replica's own `training.early_stopping`."""

    def __init__(self, trials: list[Trial]):
        rules: list[Any] = [trial.settings.training.early_stopping for trial in trials]
        self.patience = np.array([rule.patience for rule in rules])
        self.by_loss = np.array([rule.watch == "loss" for rule in rules])
        self.value = np.full(len(trials), np.inf)  # best so far: the loss, or minus the accuracy
        self.waited = np.zeros(len(trials), np.int64)  # records since the best one

    @property
    def stopped(self) -> np.ndarray:
        """Which replicas have waited for as many records as their patience, (R,) bool."""
        return self.waited >= self.patience

    def update(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Update from a record's values; return which replicas improved on their best, (R,) bool.

        A replica that has stopped never improves.
        """
        watched = np.where(self.by_loss, values["validation_loss"], -values["validation_accuracy"])
        running = ~self.stopped
        better = running & (watched < self.value)
        self.value[better] = watched[better]
        self.waited = np.where(better, 0, self.waited + running)
        return better

    def state_dict(self) -> State:
        """Return what is needed to resume."""
        return {"best_value": self.value.copy(), "best_waited": self.waited.copy()}

    def load_state_dict(self, state: State) -> None:
        """Resume from a `state_dict`."""
        self.value, self.waited = state["best_value"].copy(), state["best_waited"].copy()
