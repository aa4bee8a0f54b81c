"""Steps of small batches: the replicas are spread over the cores, each taking many steps in one call."""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from bnrenorm.config import Trial
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cpu.dropout_masks import DropoutMasks
from bnrenorm.engines.cpu.last_step import LastStep
from bnrenorm.engines.cpu.ops.layout import ParameterLayout
from bnrenorm.engines.cpu.parameters import StackedParameters
from bnrenorm.engines.cpu.small_batch import steps as kernels
from bnrenorm.engines.cpu.small_batch.spare import Spare
from bnrenorm.engines.cpu.sparse import minibatch
from bnrenorm.engines.cpu.sparse.minibatch import Minibatches
from bnrenorm.engines.spec import KernelSpec, hyperparams_of

Array = Any

_SEED_SPAN, _SPAN = 1600, 12_800  # images gathered at a time: for one seed (4 MB of digits), and for all together


class SmallBatches:
    """Takes the steps of a group whose batches fit a core's cache."""

    def __init__(
        self,
        trials: list[Trial],
        images: Array,
        labels: Array,
        spec: KernelSpec,
        layout: ParameterLayout,
        rows: StackedParameters,
        workers: int,
    ):
        self.trials, self.images, self.labels = trials, images, labels
        self.spec, self.layout, self.rows, self.workers = spec, layout, rows, workers
        self.masks, self.hyper = DropoutMasks(trials, layout), [hyperparams_of(trial) for trial in trials]
        batch: Any = trials[0].settings.training.batch
        self.size = len(images) if batch.kind == "full" else batch.size
        self._keep_memory(0)
        self.scratch = Spare(lambda: kernels.workspaces(self.size, spec, layout, self.masks.drops, images.dtype))

    def advance(
        self, sampler: Sampler, first: int, schedule: Array, active: list[int], last_step: LastStep, sums: Array
    ) -> None:
        """Take S steps from `first` on for the active replicas.

        schedule (S, R, 4) as from `network.schedule`; sums (R, 2) float64, to which every step's loss and accuracy are
        added.
        """
        seeds = list(dict.fromkeys(self.trials[replica].seed for replica in active))
        spans = self._spans(len(schedule), len(seeds))
        self._keep_memory(max(end - begin for begin, end in spans))
        gathered: dict[int, dict[int, Future[tuple[Minibatches, Array]]]] = {}

        def gather(span: int) -> None:
            if span < len(spans) and span not in gathered:
                begin, end = spans[span]
                indices, counts = sampler.table(seeds, first + begin, end - begin)
                gathered[span] = {
                    seed: pool.submit(prepare, seed, indices[:, column], counts, begin)
                    for column, seed in enumerate(seeds)
                }

        def prepare(seed: int, indices: Array, counts: Array, begin: int) -> tuple[Minibatches, Array]:
            drawn = [row[:count] for row, count in zip(indices, counts, strict=True)]
            batches = minibatch.gather(self.images, self.labels, drawn, self.memory.take())
            return batches, self.masks.draw(seed, first + begin, len(drawn))

        def start(replica: int, span: int) -> Future[int]:
            gather(span + 1)
            batches, ranks = gathered[span][self.trials[replica].seed].result()
            last_step.allocate(replica, int(batches.counts[-1]))
            return pool.submit(work, replica, batches, ranks, *spans[span])

        def work(replica: int, batches: Minibatches, ranks: Array, begin: int, end: int) -> int:
            scratch = self.scratch.take()
            kernels.train(
                batches, self.spec, self.hyper[replica], np.ascontiguousarray(schedule[begin:end, replica]),
                self.masks.of(replica, ranks), self.layout, *scratch, *self.rows.of(replica),
                last_step.statistics[replica], last_step.logits[replica], sums[replica],
            )  # fmt: skip
            self.scratch.give_back(scratch)
            return replica

        with ThreadPoolExecutor(self.workers) as pool:
            gather(0)
            span_of = dict.fromkeys(active, 0)
            busy = {start(replica, 0) for replica in active}
            while busy:  # no replica waits for the others, so that no core does
                done, busy = wait(busy, return_when=FIRST_COMPLETED)
                for replica in sorted(task.result() for task in done):
                    span_of[replica] += 1
                    if span_of[replica] < len(spans):
                        busy.add(start(replica, span_of[replica]))
                for past in [span for span in gathered if span < min(span_of.values())]:
                    for future in gathered.pop(past).values():
                        batches, _ = future.result()
                        self.memory.give_back((batches.images, batches.pixels))

    def compile_subroutines(self) -> None:
        """Compile what `steps.train` calls, but not `train` itself."""
        memory = minibatch.allocate(1, 1, self.images.shape[1], self.images.dtype)
        one = minibatch.gather(self.images, self.labels, [np.arange(1)], memory)
        rows = self.rows.of(0)
        kernels.compile_subroutines(one, self.spec, self.hyper[0], self.layout, rows.p, (rows.exp_avg, rows.exp_avg_sq))

    def _spans(self, steps: int, seeds: int) -> list[tuple[int, int]]:
        """Cut the steps into spans (begin, end) whose batches are gathered together."""
        span = max(1, min(_SEED_SPAN, _SPAN // max(seeds, 1)) // self.size)
        return [(begin, min(begin + span, steps)) for begin in range(0, steps, span)]

    def _keep_memory(self, steps: int) -> None:
        """Let `memory` have pieces for spans of at least so many steps."""
        if steps == 0 or steps > self.longest:
            size = steps, self.size, self.images.shape[1], self.images.dtype
            self.longest, self.memory = steps, Spare(lambda: minibatch.allocate(*size))
