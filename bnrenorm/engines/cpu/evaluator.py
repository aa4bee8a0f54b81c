"""Loss and accuracy of a group's replicas in inference mode."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bnrenorm.engines.cpu.dropout_masks import DropoutMasks
from bnrenorm.engines.cpu.large_batch.inference import by_batch_statistics
from bnrenorm.engines.cpu.large_batch.passes import Passes
from bnrenorm.engines.cpu.ops.layout import WIDTH
from bnrenorm.engines.cpu.parameters import Stack
from bnrenorm.engines.cpu.small_batch import inference, workspace
from bnrenorm.engines.cpu.sparse.packed import PackedImages, pack, panel_workspace
from bnrenorm.engines.spec import BATCH, hyperparams_of

Array = Any


class Evaluator:
    """Evaluates replicas by their rows, with the average of their parameters where there is one.

    Sets of images are packed once and recognised by identity.
    """

    def __init__(self, stack: Stack):
        self.trials, self.spec, self.layout, self.rows, self.workers = stack
        self.masks = DropoutMasks(self.trials, self.layout)
        self.packed_sets: dict[int, tuple[Array, PackedImages]] = {}
        self.passes: dict[int, Passes] = {}  # by how many images they are for

    def packed(self, images: Array) -> PackedImages:
        """Return a set of images (M, D) packed by fours, computed at the first call."""
        if id(images) not in self.packed_sets:  # which keep the images, and so the number theirs
            self.packed_sets[id(images)] = images, pack(images)
        return self.packed_sets[id(images)][1]

    def evaluate(
        self, images: Array, labels: Array, replicas: list[int], *, use_batch_statistics: bool
    ) -> tuple[Array, Array]:
        """Return mean loss and accuracy (R,) of some replicas over images (M, D), and NaN for the others.

        With `use_batch_statistics` batch norms use the images' own statistics instead of the running ones.
        """
        results = np.full((len(self.trials), 2), np.nan)
        with ThreadPoolExecutor(self.workers) as pool:
            if use_batch_statistics and self.spec.norm == BATCH:
                if len(images) not in self.passes:
                    shape = len(images), images.dtype
                    self.passes[len(images)] = Passes(*shape, self.spec, self.layout, self.workers)
                passes = self.passes[len(images)].take(self.packed(images), labels)
                for i in replicas:
                    results[i] = by_batch_statistics(passes, pool, hyperparams_of(self.trials[i]), self._parameters(i))
            else:
                results[replicas] = self._by_running(pool, images, labels, replicas)
        loss, accuracy = results.T
        return loss, accuracy

    def _by_running(self, pool: ThreadPoolExecutor, images: Array, labels: Array, replicas: list[int]) -> Array:
        """Return loss and accuracy of these replicas by their running statistics, (replicas, 2)."""
        packed = self.packed(images)
        labels = np.ascontiguousarray(labels[packed.order])
        blocks = -(-len(images) // inference.ROWS)
        sums = np.zeros((len(replicas), blocks, 2))
        share = -(-blocks // self.workers)
        parameters = [self._parameters(i) for i in replicas]

        def work(index: int, begin: int) -> None:
            trial, run = self.trials[replicas[index]], self.rows.of(replicas[index]).run
            scratch = workspace.allocate(self.layout, min(inference.ROWS, len(images)), 1, images.dtype)
            panel = panel_workspace(images.shape[1], int(self.layout.layers[0, WIDTH]), images.dtype)
            inference.evaluate_blocks(
                packed.fours, labels, self.spec, hyperparams_of(trial), self.layout, parameters[index], run,
                scratch, panel, begin, min(begin + share, blocks), sums[index],
            )  # fmt: skip

        tasks = itertools.product(range(len(replicas)), range(0, blocks, share))
        for _ in pool.map(lambda task: work(*task), tasks):
            pass
        return sums.sum(axis=1) / len(images)

    def _parameters(self, replica: int) -> Array:
        """Return the parameters (P,) that a replica is evaluated with."""
        rows = self.rows.of(replica)
        return self.masks.inference(replica, rows.average if len(rows.average) else rows.p)
