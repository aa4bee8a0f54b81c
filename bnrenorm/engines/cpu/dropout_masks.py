"""The "exact" form of dropout (`network.dropout`) for kernels: masks of training steps, and weights of inference."""

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.engines.cpu.ops.layout import FAN_IN, B, ParameterLayout, W
from bnrenorm.network import dropout


class DropoutMasks:
    """What the replicas of a group keep at each step."""

    def __init__(self, trials: list[Trial], layout: ParameterLayout):
        self.trials, self.layout = trials, layout
        self.widths = tuple(int(fan_in) for fan_in in layout.layers[:, FAN_IN])
        self.drops = trials[0].settings.model.dropout.drops

    def of(self, replica: int, first: int, steps: int) -> np.ndarray:
        """Return masks of 0 and 1 for the steps from `first` on, float32 (S, D + H + ...); (S, 0) without dropout.

        A row has the inputs' mask, then that of each hidden layer.
        """
        if not self.drops:
            return np.zeros((steps, 0), np.float32)
        ratios = self._ratios(replica)
        counts = [dropout.kept(ratio, width) for ratio, width in zip(ratios, self.widths, strict=True)]
        rows = []
        for step in range(first, first + steps):
            ranks = dropout.ranks(self.trials[replica].seed, step, self.widths)
            rows.append(np.concatenate([rank < count for rank, count in zip(ranks, counts, strict=True)]))
        return np.array(rows, np.float32)

    def inference(self, replica: int, p: np.ndarray) -> np.ndarray:
        """Return parameters (P,) for inference: every layer's weights times the ratio of its inputs that steps keep."""
        if not self.drops:
            return p
        p = p.copy()
        for ratio, layer in zip(self._ratios(replica), self.layout.layers, strict=True):
            p[layer[W] : layer[B]] *= np.float32(ratio)
        return p

    def _ratios(self, replica: int) -> list[float]:
        rule = self.trials[replica].settings.model.dropout
        return [rule.keep_input, *[rule.keep_hidden] * (len(self.widths) - 1)]
