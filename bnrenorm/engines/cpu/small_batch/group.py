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
from bnrenorm.engines.cpu.sparse.minibatch import Buffers, Minibatches
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
        self.masks, self.buffers = DropoutMasks(trials, layout), Buffers()

    def advance(
        self, sampler: Sampler, first: int, schedule: Array, active: list[int], last_step: LastStep, sums: Array
    ) -> None:
        """Take S steps from `first` on for the active replicas.

        schedule (S, R, 4) as from `network.schedule`; sums (R, 2) float64, to which every step's loss and accuracy are
        added.
        """
        seeds = list(dict.fromkeys(self.trials[replica].seed for replica in active))
        span = max(1, min(_SEED_SPAN, _SPAN // max(len(seeds), 1)) // sampler.size)
        spans = [(begin, min(begin + span, len(schedule))) for begin in range(0, len(schedule), span)]
        self.buffers.prepare(span, sampler.size)
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
            batches = self.buffers.gather(self.images, self.labels, drawn)
            return batches, self.masks.draw(seed, first + begin, len(drawn))

        def start(replica: int, span: int) -> Future[int]:
            gather(span + 1)
            batches, ranks = gathered[span][self.trials[replica].seed].result()
            last_step.allocate(replica, int(batches.counts[-1]))
            return pool.submit(work, replica, batches, ranks, *spans[span])

        def work(replica: int, batches: Minibatches, ranks: Array, begin: int, end: int) -> int:
            masks = self.masks.of(replica, ranks)
            kernels.train(
                batches, self.spec, hyperparams_of(self.trials[replica]),
                np.ascontiguousarray(schedule[begin:end, replica]), masks, self.layout,
                *kernels.workspaces(batches, self.spec, self.layout, masks), *self.rows.of(replica),
                last_step.statistics[replica], last_step.logits[replica], sums[replica],
            )  # fmt: skip
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
                        self.buffers.free(future.result()[0])

    def compile_subroutines(self) -> None:
        """Compile what `steps.train` calls, but not `train` itself."""
        self.buffers.prepare(1, 1)
        one = self.buffers.gather(self.images, self.labels, [np.arange(1)])
        rows = self.rows.of(0)
        kernels.compile_subroutines(
            one, self.spec, hyperparams_of(self.trials[0]), self.layout, rows.p, (rows.exp_avg, rows.exp_avg_sq)
        )
