"""Steps of batches too large for a core's cache: one replica after another, its rows spread over the cores."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cpu.large_batch.blocks import ROWS
from bnrenorm.engines.cpu.large_batch.steps import LargeBatch
from bnrenorm.engines.cpu.last_step import LastStep
from bnrenorm.engines.cpu.parameters import Stack
from bnrenorm.engines.cpu.sparse import minibatch
from bnrenorm.engines.cpu.sparse.fours import PixelFours, gather
from bnrenorm.engines.cpu.sparse.minibatch import Memory
from bnrenorm.engines.cpu.sparse.packed import PackedImages, similar_order
from bnrenorm.engines.spec import hyperparams_of

Array = Any
Batch = tuple[PackedImages, Array, PixelFours]  # what `LargeBatch.take` takes


class LargeBatches:
    """Takes the steps of a group whose batches are large: all images (M, D), or minibatches of them.

    `all` is the batch of all images, if that is what is trained on.
    """

    def __init__(self, stack: Stack, images: Array, labels: Array):
        self.stack, self.images, self.labels = stack, images, labels
        trials, spec, layout, self.rows, workers = stack
        self.hyper = [hyperparams_of(trial) for trial in trials]
        batch: Any = trials[0].settings.training.batch
        is_full = batch.kind == "full"
        size = batch.images_per_step(len(images))
        shape = -(-size // ROWS), ROWS, images.shape[1], images.dtype
        self.memory = [minibatch.allocate(*shape) for _ in range(1 if is_full else 2)]
        self.place = np.argsort(similar_order(images))  # of each image; neighbours pack well
        self.batch = LargeBatch(size, images.dtype, spec, layout, workers)
        self.all = self._gather(np.arange(size), self.memory[0]) if is_full else None

    def advance(
        self, sampler: Sampler, first: int, schedule: Array, active: list[int], last_step: LastStep, sums: Array
    ) -> None:
        """Take S steps: `SmallBatches.advance`."""
        for seed, replicas in self.stack.by_seed(active).items():
            for rows, batch in zip(schedule, self._batches(sampler, seed, first, len(schedule)), strict=True):
                self.batch.take(*batch)
                for replica in replicas:
                    sums[replica] += self.batch.step(
                        self.hyper[replica], rows[replica], self.rows.of(replica), last_step.statistics[replica],
                        last_step.logits[replica],
                    )  # fmt: skip

    def _batches(self, sampler: Sampler, seed: int, first: int, steps: int) -> Iterator[Batch]:
        """Yield a seed's batches; the next one is gathered while replicas train on one."""
        if self.all is not None:
            yield from [self.all] * steps
            return
        with ThreadPoolExecutor(1) as pool:

            def gathered(step: int) -> Future[Batch]:
                indices, counts = sampler.table([seed], step, 1)
                return pool.submit(self._gather, indices[0, 0, : counts[0]], self.memory[step % 2])

            ahead = gathered(first)
            for step in range(first + 1, first + steps):
                now, ahead = ahead, gathered(step)
                yield now.result()
            yield ahead.result()

    def _gather(self, drawn: Array, memory: Memory) -> Batch:
        """Gather images (N,) by blocks of ROWS, neighbours in the packed order together."""
        order, blocks = np.argsort(self.place[drawn], kind="stable"), -(-len(drawn) // ROWS)
        counts = np.minimum(ROWS, len(drawn) - ROWS * np.arange(blocks))
        gather(self.images, np.resize(drawn[order].astype(np.int64), (blocks, ROWS)), counts, *memory)
        images, pixels = memory
        return PackedImages(order, images), self.labels[drawn], pixels
