"""Which inputs and nodes each step of a replica keeps, as kernels want it: the "exact" form of `bnrenorm.dropout`."""

import numpy as np

from bnrenorm import dropout
from bnrenorm.config import Trial
from bnrenorm.fused.types import FAN_IN, Places


class Masks:
    """The masks of a group's replicas."""

    def __init__(self, trials: list[Trial], places: Places):
        self.trials = trials
        self.widths = tuple(int(fan_in) for fan_in in places.layers[:, FAN_IN])
        self.drops = trials[0].settings.model.dropout.drops

    def of(self, replica: int, first: int, steps: int) -> np.ndarray:
        """Return masks (S, D + H + ...) of 0 and 1 for so many steps from `first`; (S, 0) where nothing is dropped."""
        if not self.drops:
            return np.zeros((steps, 0), np.float32)
        trial = self.trials[replica]
        rule = trial.settings.model.dropout
        shares = [rule.keep_input, *[rule.keep_hidden] * (len(self.widths) - 1)]
        most = [dropout.kept(share, width) for share, width in zip(shares, self.widths, strict=True)]
        rows = []
        for step in range(first, first + steps):
            ranks = dropout.ranks(trial.seed, step, self.widths)
            rows.append(np.concatenate([each < k for each, k in zip(ranks, most, strict=True)]))
        return np.array(rows, np.float32)
