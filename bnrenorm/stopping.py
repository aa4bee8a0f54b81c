"""Early stopping: each replica's best weights, judged on the validation split, and how long it has waited since."""

from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.config import Trial
from bnrenorm.model import Perceptron

Array = Any


class Best:
    """What was best so far, for every replica by its own `training.early_stopping`."""

    def __init__(self, network: Perceptron, trials: list[Trial], average: dict[str, Array]):
        """Begin with the network as it is; `average` are the averaged weights that are judged, if there are any."""
        rules: list[Any] = [trial.settings.training.early_stopping for trial in trials]
        self.network, self.average = network, average
        self.patience = np.array([rule.patience for rule in rules])
        self.by_loss = np.array([rule.watch == "loss" for rule in rules])
        self.value = np.full(len(trials), np.inf)  # the loss, or minus the accuracy
        self.waited = np.zeros(len(trials), np.int64)  # records since the best
        self.arrays = {name: array.copy() for name, array in self._current().items()}

    @property
    def stopped(self) -> np.ndarray:
        """Which replicas have waited as long as they may, (R,)."""
        return self.waited >= self.patience

    def see(self, values: dict[str, np.ndarray]) -> None:
        """Take a record's values in; a replica that has stopped stays as it is."""
        found = np.where(self.by_loss, values["validation_loss"], -values["validation_accuracy"])
        going = ~self.stopped
        better = going & (found < self.value)
        self.value[better] = found[better]
        self.waited = np.where(better, 0, self.waited + going)
        for name, array in self._current().items():
            self.arrays[name][better] = array[better]

    def restore(self) -> None:
        """Go back to the best weights, their average and running statistics."""
        for name, array in self._current().items():
            array[...] = self.arrays[name]

    def state(self) -> dict[str, Array]:
        """Return all of it for a checkpoint, as `load` takes it."""
        best = {f"best{name}": array for name, array in self.arrays.items()}
        return {"best_value": self.value, "best_waited": self.waited, **best}

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a `state`."""
        send = chainer.get_device(self.network.device).send
        self.value, self.waited = state["best_value"].copy(), state["best_waited"].copy()
        self.arrays = {name: send(state[f"best{name}"]) for name in self.arrays}

    def _current(self) -> dict[str, Array]:
        parameters = {name: parameter.array for name, parameter in self.network.namedparams()}
        kept = {name: getattr(link, attribute) for name, link, attribute in self.network.persistents}
        average = {f"/average{name}": array for name, array in self.average.items()}
        return {**parameters, **average, **{name: array for name, array in kept.items() if np.ndim(array)}}
