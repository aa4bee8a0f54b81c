"""Loss and accuracy of a group's replicas in inference mode."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.engines.cpu.dropout_masks import DropoutMasks
from bnrenorm.engines.cpu.large_batch.inference import BatchStatisticsEvaluator
from bnrenorm.engines.cpu.large_batch.passes import Passes
from bnrenorm.engines.cpu.ops.layout import WIDTH, ParameterLayout
from bnrenorm.engines.cpu.parameters import StackedParameters
from bnrenorm.engines.cpu.small_batch import inference, workspace
from bnrenorm.engines.cpu.sparse.packed import PackedImages, pack, panel_workspace
from bnrenorm.engines.spec import BATCH, KernelSpec, hyperparams_of

Array = Any


class Evaluator:
    """Evaluates replicas by their rows, with the average of their parameters where there is one.

    Sets of images are packed once and recognised by identity.
    """

    def __init__(
        self,
        trials: list[Trial],
        spec: KernelSpec,
        layout: ParameterLayout,
        rows: StackedParameters,
        masks: DropoutMasks,
        workers: int,
    ):
        self.trials, self.spec, self.layout, self.rows, self.masks = trials, spec, layout, rows, masks
        self.workers = workers
        self.packed_sets: list[tuple[Array, PackedImages]] = []
        self.batch_evaluators: list[tuple[Array, BatchStatisticsEvaluator]] = []

    def packed(self, images: Array) -> PackedImages:
        """Return a set of images (M, D) packed by fours, computed at the first call."""
        for known, packed in self.packed_sets:
            if known is images:
                return packed
        self.packed_sets.append((images, pack(images)))
        return self.packed_sets[-1][1]

    def evaluate(
        self, images: Array, labels: Array, replicas: list[int], *, use_batch_statistics: bool
    ) -> tuple[Array, Array]:
        """Return mean loss and accuracy (R,) of some replicas over images (M, D), and NaN for the others.

        With `use_batch_statistics` batch norms use the images' own statistics instead of the running ones.
        """
        results = np.full((len(self.trials), 2), np.nan)
        with ThreadPoolExecutor(self.workers) as pool:
            if use_batch_statistics and self.spec.norm == BATCH:
                evaluator = self._batch_evaluator(images, labels)
                for i in replicas:
                    results[i] = evaluator.evaluate(pool, hyperparams_of(self.trials[i]), self._parameters(i))
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

    def _batch_evaluator(self, images: Array, labels: Array) -> BatchStatisticsEvaluator:
        for known, evaluator in self.batch_evaluators:
            if known is images:
                return evaluator
        passes = Passes(images, self.packed(images), labels, self.spec, self.layout, self.workers)
        evaluator = BatchStatisticsEvaluator(passes)
        self.batch_evaluators.append((images, evaluator))
        return evaluator
