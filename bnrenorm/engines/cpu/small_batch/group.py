"""Steps of small batches: the replicas are spread over the cores, each taking many steps in one call."""

import itertools
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cpu.dropout_masks import DropoutMasks
from bnrenorm.engines.cpu.last_step import LastStep
from bnrenorm.engines.cpu.memory import SPAN
from bnrenorm.engines.cpu.parameters import Stack
from bnrenorm.engines.cpu.small_batch import steps as kernels
from bnrenorm.engines.cpu.small_batch.spare import Spare
from bnrenorm.engines.cpu.sparse import minibatch
from bnrenorm.engines.cpu.sparse.minibatch import Minibatches
from bnrenorm.engines.spec import hyperparams_of

Array = Any

_SEED_SPAN = 1600  # images that are prepared at a time for one seed: 4 MB of digits


class SmallBatches:
    """Takes the steps of a group whose batches fit a core's cache."""

    def __init__(self, stack: Stack, images: Array, labels: Array):
        self.stack, self.images, self.labels = stack, images, labels
        trials, self.spec, self.layout, self.rows, self.workers = stack
        self.masks = DropoutMasks(trials, self.layout)
        self.hyper = [hyperparams_of(trial) for trial in trials]
        batch: Any = trials[0].settings.training.batch
        self.size = batch.images_per_step(len(images))
        self._keep_memory(0)
        size = self.size, self.spec, self.layout, self.masks.drops, images.dtype
        self.scratch = Spare(lambda: kernels.workspaces(*size))

    def advance(
        self, sampler: Sampler, first: int, schedule: Array, active: list[int], last_step: LastStep, sums: Array
    ) -> None:
        """Take S steps from `first` on for the active replicas.

        schedule (S, R, 4) as from `network.schedule`; sums (R, 2) float64, to which every step's loss and accuracy are
        added.
        """
        of_seed = self.stack.by_seed(active)
        waiting, at_once = iter(of_seed), self.workers + 1
        spans = self._spans(len(schedule), min(at_once, len(of_seed)))
        self._keep_memory(max(end - begin for begin, end in spans))
        span_of = dict.fromkeys(active, 0)
        gathered: dict[tuple[int, int], Future[tuple[Minibatches, Array]]] = {}  # by seed and span

        def start(replica: int) -> Future[int]:
            seed, span = self.stack.trials[replica].seed, span_of[replica]
            for wanted in (span, span + 1):
                if wanted < len(spans) and (seed, wanted) not in gathered:
                    begin, end = spans[wanted]
                    drawn = sampler.table([seed], first + begin, end - begin)
                    gathered[seed, wanted] = pool.submit(gather, seed, *drawn, first + begin)
            return pool.submit(work, replica, gathered[seed, span], *spans[span])

        def gather(seed: int, indices: Array, counts: Array, begin: int) -> tuple[Minibatches, Array]:
            batches = minibatch.gather(self.images, self.labels, indices[:, 0], counts, self.memory.take())
            return batches, self.masks.draw(seed, begin, len(counts))

        def work(replica: int, ahead: Future[tuple[Minibatches, Array]], begin: int, end: int) -> int:
            batches, ranks = ahead.result()  # begun before this, as the pool takes tasks in their order
            last_step.allocate(replica, int(batches.counts[-1]))
            scratch = self.scratch.take()
            kernels.train(
                batches, self.spec, self.hyper[replica], np.ascontiguousarray(schedule[begin:end, replica]),
                self.masks.of(replica, ranks), self.layout, *scratch, *self.rows.of(replica),
                last_step.statistics[replica], last_step.logits[replica], sums[replica],
            )  # fmt: skip
            self.scratch.give_back(scratch)
            return replica

        def free(seed: int) -> None:
            """Give back the memory of what all replicas of a seed have passed."""
            past = min(span_of[replica] for replica in of_seed[seed])
            for key in [key for key in gathered if key[0] == seed and key[1] < past]:
                batches, _ = gathered.pop(key).result()
                self.memory.give_back((batches.images, batches.pixels))

        with ThreadPoolExecutor(self.workers) as pool:
            busy = {start(replica) for seed in itertools.islice(waiting, at_once) for replica in of_seed[seed]}
            while busy:  # no replica waits for the others, so that no core does
                done, busy = wait(busy, return_when=FIRST_COMPLETED)
                for replica in sorted(task.result() for task in done):
                    seed = self.stack.trials[replica].seed
                    span_of[replica] += 1
                    if span_of[replica] < len(spans):
                        busy.add(start(replica))
                    elif all(span_of[other] == len(spans) for other in of_seed[seed]):
                        busy |= {
                            start(other) for following in itertools.islice(waiting, 1) for other in of_seed[following]
                        }
                    free(seed)

    def compile_subroutines(self) -> None:
        """Compile what `steps.train` calls, but not `train` itself."""
        memory = minibatch.allocate(1, 1, self.images.shape[1], self.images.dtype)
        one = minibatch.gather(self.images, self.labels, np.zeros((1, 1), int), np.ones(1, int), memory)
        kernels.compile_subroutines(one, self.spec, self.hyper[0], self.layout, self.rows.of(0))

    def _spans(self, steps: int, seeds: int) -> list[tuple[int, int]]:
        """Cut the steps into spans (begin, end) whose batches are gathered together, for so many seeds at a time."""
        span = max(1, min(_SEED_SPAN, SPAN // max(seeds, 1)) // self.size)
        return [(begin, min(begin + span, steps)) for begin in range(0, steps, span)]

    def _keep_memory(self, steps: int) -> None:
        """Let `memory` have pieces for spans of at least so many steps."""
        if steps == 0 or steps > self.longest:
            size = steps, self.size, self.images.shape[1], self.images.dtype
            self.longest, self.memory = steps, Spare(lambda: minibatch.allocate(*size))
