"""Early stopping: which records were best on the validation split, and how long each replica has waited since."""

from typing import Any

import numpy as np

from bnrenorm.config import Trial

State = dict[str, np.ndarray]


class EarlyStopping:
    """Applies each replica's own `training.early_stopping`."""

    def __init__(self, trials: list[Trial]):
        rules: list[Any] = [trial.settings.training.early_stopping for trial in trials]
        self.patience = np.array([rule.patience for rule in rules])
        self.by_loss = np.array([rule.watch == "loss" for rule in rules])
        self.value = np.full(len(trials), np.inf)  # the best so far: the loss, or minus the accuracy
        self.waited = np.zeros(len(trials), np.int64)  # records since then

    @property
    def stopped(self) -> np.ndarray:
        """Which replicas have waited as long as their patience, (R,) bool."""
        return self.waited >= self.patience

    def update(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Take in a record's values; return which replicas are better than ever, (R,) bool.

        A replica that has stopped stays as it is.
        """
        watched = np.where(self.by_loss, values["validation_loss"], -values["validation_accuracy"])
        running = ~self.stopped
        better = running & (watched < self.value)
        self.value[better] = watched[better]
        self.waited = np.where(better, 0, self.waited + running)
        return better

    def state_dict(self) -> State:
        """Return what a resume needs."""
        return {"best_value": self.value, "best_waited": self.waited}

    def load_state_dict(self, state: State) -> None:
        """Go on from a `state_dict`."""
        self.value, self.waited = state["best_value"].copy(), state["best_waited"].copy()
