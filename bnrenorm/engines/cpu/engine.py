"""The CPU engine: the Chainer engine's steps and evaluation, compiled, on copies of the network's arrays.

Where a batch fits a core's cache the replicas are spread over the cores; a larger batch is spread over the cores
itself, one replica after another. Alone or in a group, a replica's numbers are the same bits.
"""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from bnrenorm import environment
from bnrenorm.engines import evaluate
from bnrenorm.engines.cpu.evaluator import Evaluator
from bnrenorm.engines.cpu.large_batch.group import LargeBatches
from bnrenorm.engines.cpu.last_step import LastStep
from bnrenorm.engines.cpu.ops.layout import layout_of
from bnrenorm.engines.cpu.parameters import Stack, StackedParameters
from bnrenorm.engines.cpu.required import is_large
from bnrenorm.engines.cpu.small_batch.group import SmallBatches
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.mode_gap import IMAGES, ModeGap
from bnrenorm.engines.replicas import Replicas, all_to_host
from bnrenorm.engines.spec import spec_of

Array = Any


class CpuEngine:
    """Trains a group by compiled kernels: see `engine.Engine`."""

    def __init__(self, replicas: Replicas, inputs: Inputs):
        trials, settings, network = replicas.trials, replicas.settings, replicas.network
        self.trials, self.inputs, self.network = trials, inputs, network
        self._replicas, self.mode_gap = replicas, ModeGap(network, inputs, trials)
        self.idle = np.zeros(len(trials), bool)
        self.stale, self.ahead = True, False  # the rows behind the network; the network behind the rows
        self.blas = ThreadpoolController()
        spec = spec_of(settings)
        layout = layout_of(list(settings.model.widths(inputs.images.shape[1])), spec)
        self.rows = StackedParameters(network, settings.training.optimizer.kind, replicas.average.arrays, layout.pitch)
        widths = [norm.run_mean.shape[2] for norm in network.batch_norms]
        self.last_step = LastStep(len(trials), widths, layout, spec.micro_batch, IMAGES)
        stack = Stack(trials, spec, layout, self.rows, environment.threads())
        self.evaluator = Evaluator(stack)
        if is_large(settings):
            with self._one_blas_thread():
                self.batches = LargeBatches(stack, inputs.images, inputs.labels)
            if self.batches.all is not None:
                self.evaluator.packed_sets[id(inputs.images)] = inputs.images, self.batches.all[0]
        else:
            self.batches = SmallBatches(stack, inputs.images, inputs.labels)
        self.observed: dict[str, Array] = {}

    @property
    def replicas(self) -> Replicas:
        """The networks, up to date: `Engine.replicas`."""
        if self.ahead:
            self.rows.store()
            self.ahead = False
        return self._replicas

    def reload(self) -> None:
        """Copy from the network before the next step; mark all replicas active: `Engine.reload`."""
        self.stale, self.ahead, self.idle = True, False, np.zeros(len(self.trials), bool)

    def advance(self, first: int, steps: int, *, observe: bool) -> None:
        """Take steps: `Engine.advance`."""
        self._take(first, steps - observe)
        if not observe:
            return
        last = first + steps - 1
        self.replicas.network.step = last  # which keeps the weights from before the last step
        self._take(last, 1)
        with self._one_blas_thread():
            gap = self.mode_gap.measure(np.stack(self.last_step.logits), last)
        schedule = self.network.schedule
        self.observed = {**gap, **self.last_step.diagnosis(schedule.r_max(last), schedule.d_max(last))}

    def _take(self, first: int, steps: int) -> None:
        """Take steps by the rows; the network gets its new running statistics, but not its new parameters."""
        if not steps:
            return
        self._load()
        sampler, sums = self.inputs.sampler, self._replicas.sums
        schedule, active = self.network.schedule.table(first, steps), self._active()
        rows = int(sampler.counts(first + steps - 1, 1)[0])
        for replica in range(len(self.trials)):
            self.last_step.allocate(replica, rows)
        with self._one_blas_thread():
            self.batches.advance(sampler, first, schedule, active, self.last_step, sums)
        sums[self.idle] = np.nan
        self.ahead = True
        self.rows.store_statistics()
        self._replicas.count(steps)

    def evaluate(self) -> dict[str, np.ndarray]:
        """Return loss and accuracy of every evaluated set: `Engine.evaluate`."""
        values: dict[str, np.ndarray] = {}
        settings = self._replicas.settings.evaluation
        self._load()
        by_batch = settings.statistics == "batch"
        with (
            self._one_blas_thread(),
            self.replicas.average.in_place(),
            evaluate.statistics(self.network, settings.statistics, self.inputs.images),
        ):
            self.rows.load_statistics()
            for name, (images, labels) in self.inputs.eval_sets.items():
                loss, accuracy = self.evaluator.evaluate(images, labels, self._active(), use_batch_statistics=by_batch)
                values |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        self.rows.load_statistics()  # those of the population were for the evaluation alone
        return values

    def diagnosis(self) -> dict[str, np.ndarray]:
        """Return what the normalisation did at the observed step: `Engine.diagnosis`."""
        return all_to_host(self.observed)

    def _load(self) -> None:
        if self.stale:
            self.rows.load()
            self.stale = False

    def _active(self) -> list[int]:
        return [int(replica) for replica in np.flatnonzero(~self.idle)]

    def _one_blas_thread(self) -> AbstractContextManager[Any]:
        """Keep BLAS to the calling thread: its other threads spin on our cores for a while after a product."""
        return self.blas.limit(limits=1)
