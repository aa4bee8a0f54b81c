"""What the last training step of a group showed: its first logits, and the statistics of every normalisation."""

from typing import Any

import numpy as np

from bnrenorm.engines.cpu.ops.layout import WIDTH, ParameterLayout
from bnrenorm.norm.diagnosis import diagnose

Array = Any


class LastStep:
    """Arrays that kernels write to, replica by replica; all of them are of the same step after `advance`.

    `statistics[r]` (H, M, 6, W) has mean, std, r, d, and the running mean and std that r and d came from, of H
    normalisations in M micro-batches, W being the widest layer. `logits[r]` (K, C) has the logits of the first images,
    at most `most` of them.
    """

    def __init__(self, replicas: int, widths: list[int], layout: ParameterLayout, micro_batch: int, most: int):
        self.widths, self.layout, self.micro_batch, self.most = widths, layout, micro_batch, most
        self.statistics: list[Array] = [np.empty(0)] * replicas
        self.logits: list[Array] = [np.empty(0)] * replicas

    def allocate(self, replica: int, rows: int) -> None:
        """Make the arrays of a replica whose step has a batch of so many rows."""
        parts = rows // self.micro_batch if self.micro_batch else 1
        classes = self.layout.layers[-1, WIDTH]
        self.statistics[replica] = np.zeros((len(self.widths), parts, 6, self.layout.widest), np.float32)
        self.logits[replica] = np.zeros((min(self.most, rows), classes), np.float32)

    def diagnosis(self, r_max: Array, d_max: Array) -> dict[str, Array]:
        """Describe every normalisation by layer, as `norm.diagnosis` does; r_max and d_max (R, 1, 1) of the step."""
        found: dict[str, Array] = {}
        for depth, width in enumerate(self.widths):
            stacked = np.stack([statistics[depth, :, :, :width] for statistics in self.statistics])  # (R, M, 6, D)
            mean, std, r, d, run_mean, run_std = np.moveaxis(stacked, 2, 0)
            limits = (limit.astype(mean.dtype) + 0 * mean for limit in (r_max, d_max))
            described = diagnose(mean, std, run_mean, run_std, r, d, *limits)
            found |= {f"layer{depth + 1}_{name}": value for name, value in described.items()}
        return found
