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
    at most `max_logits` of them.
    """

    def __init__(self, replicas: int, widths: list[int], layout: ParameterLayout, micro_batch: int, max_logits: int):
        self.widths, self.layout, self.micro_batch, self.max_logits = widths, layout, micro_batch, max_logits
        self.statistics: list[Array] = [np.empty(0)] * replicas
        self.logits: list[Array] = [np.empty(0)] * replicas

    def allocate(self, replica: int, rows: int) -> None:
        """Allocate the arrays of a replica for a step with a batch of `rows` images."""
        micro_batches = rows // self.micro_batch if self.micro_batch else 1
        classes = self.layout.layers[-1, WIDTH]
        self.statistics[replica] = np.zeros((len(self.widths), micro_batches, 6, self.layout.widest), np.float32)
        self.logits[replica] = np.zeros((min(self.max_logits, rows), classes), np.float32)

    def diagnosis(self, r_max: Array, d_max: Array) -> dict[str, Array]:
        """Describe every normalisation by layer, as `norm.diagnosis` does; r_max and d_max (R, 1, 1) of the step."""
        diagnosis: dict[str, Array] = {}
        for depth, width in enumerate(self.widths):
            stacked = np.stack([statistics[depth, :, :, :width] for statistics in self.statistics])  # (R, M, 6, D)
            mean, std, r, d, run_mean, run_std = np.moveaxis(stacked, 2, 0)
            limits = (limit.astype(mean.dtype) + 0 * mean for limit in (r_max, d_max))
            described = diagnose(mean, std, run_mean, run_std, r, d, *limits)
            diagnosis |= {f"layer{depth + 1}_{name}": value for name, value in described.items()}
        return diagnosis
