"""The "exact" form of dropout (`network.dropout`) for kernels: masks of training steps, and weights of inference."""

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.engines.cpu.codegen.alignment import aligned
from bnrenorm.engines.cpu.ops.layout import FAN_IN, B, ParameterLayout, W
from bnrenorm.network import dropout


class DropoutMasks:
    """What the replicas of a group keep at each step."""

    def __init__(self, trials: list[Trial], layout: ParameterLayout):
        self.layout, self.widths = layout, tuple(int(fan_in) for fan_in in layout.layers[:, FAN_IN])
        rule = dropout.Dropout(trials, self.widths)
        self.drops, self.fractions, self.counts = rule.drops, rule.fractions, rule.counts

    def draw(self, seed: int, first: int, steps: int) -> np.ndarray:
        """Return the nodes' ranks at the steps from `first` on, integers (S, D + H + ...); (S, 0) without dropout.

        A row has the inputs' ranks, then those of each hidden layer. All replicas of a seed take the same.
        """
        if not self.drops:
            return np.zeros((steps, 0), np.uint8)
        drawn = (dropout.ranks(seed, step, self.widths) for step in range(first, first + steps))
        return np.array([np.concatenate(ranks) for ranks in drawn], np.min_scalar_type(max(self.widths)))

    def of(self, replica: int, ranks: np.ndarray) -> np.ndarray:
        """Return masks of 0 and 1 for some steps, float32, of the shape of their `ranks`, which `draw` returned."""
        if not self.drops:
            return ranks.astype(np.float32)
        counts = [of_layer[replica] for of_layer in self.counts]
        return (ranks < np.repeat(counts, self.widths)).astype(np.float32)

    def inference(self, replica: int, p: np.ndarray) -> np.ndarray:
        """Return parameters (P,) for inference: every layer's weights times the ratio of its inputs that steps keep."""
        if not self.drops:
            return p
        scaled = aligned(1, len(p), p.dtype)[0]
        scaled[...] = p
        for fractions, layer in zip(self.fractions, self.layout.layers, strict=True):
            scaled[layer[W] : layer[B]] *= np.float32(fractions[replica])
        return scaled
