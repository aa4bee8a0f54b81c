"""The CUDA engine: the Chainer engine's steps and evaluation by kernels, in place on the network's own arrays."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from bnrenorm.engines import evaluate
from bnrenorm.engines.cuda.batches import Batches
from bnrenorm.engines.cuda.evaluator import Evaluator
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.observation import ModeGap, diagnosis
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Vector, copies_of, layers_of, vectors_of
from bnrenorm.engines.cuda.passes import Operations, backward, forward, loss
from bnrenorm.engines.cuda.replay import Replay
from bnrenorm.engines.cuda.rows import Mode, divide
from bnrenorm.engines.cuda.small_batch import SmallBatches, suits
from bnrenorm.engines.cuda.spans import Span, Spans
from bnrenorm.engines.cuda.workspace import Workspace
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.replicas import Replicas, all_to_host, to_host
from bnrenorm.engines.spec import NONE, SGD, hyperparams_of, spec_of
from bnrenorm.norm.diagnosis import NAMES

Array = Any


class CudaEngine:
    """Trains a group on the current device: see `engine.Engine`.

    The dtype is that of the network's parameters, float32 or, for proofs, float64. `tf32` lets cuBLAS round operands.
    `ops`: what runs the kernels, if not the GPU.
    """

    def __init__(self, replicas: Replicas, inputs: Inputs, *, tf32: bool = False, ops: Operations | None = None):
        trials, settings, network = replicas.trials, replicas.settings, replicas.network
        self.replicas, self.inputs, self.network, self.tf32 = replicas, inputs, network, tf32
        self.dtype = network.linears[0].W.dtype
        self.ops: Operations = ops or Launches(self.dtype)
        self.idle = np.zeros(len(trials), bool)
        spec = spec_of(settings)
        self.spec = spec._replace(norm_first=0) if spec.norm == NONE else spec  # the same, in one pass less
        self.widths = settings.model.widths(inputs.images.shape[1])
        self.spans = Spans(trials, inputs.sampler, network.schedule, network.dropout, self.dtype)
        self.hyper = self._send(np.array([hyperparams_of(trial) for trial in trials]).astype(self.dtype))
        rule = network.dropout
        self.fractions = [self._send(fraction.astype(self.dtype)) for fraction in rule.fractions] if rule.drops else []
        self.workspaces: dict[int, Workspace] = {}
        averaged = settings.evaluation.average is not None
        self.evaluator = Evaluator(self.ops, self.dtype, self.widths, averaged=averaged)
        self.mode_gap = ModeGap(self.ops, self.dtype, inputs, self.spans.seeds, self.widths, self.spec.micro_batch)
        decays = any(trial.settings.training.weight_decay or trial.settings.training.l1_decay for trial in trials)
        self.plain = spec.optimizer == SGD and not decays and not averaged
        self.small = None
        memory = self.ops.shared_memory
        if suits(settings, self.spec, self.widths, inputs.sampler, self.dtype.itemsize, memory):
            self.small = SmallBatches(self.ops, self.dtype, len(trials), self.widths[1], inputs)
        small = self.small is not None
        self.batches = Batches(self.ops, self.dtype, inputs, settings, self.spans, self.widths, small=small)
        self.seed_of = self.batches.seed_of
        self.gaps: dict[str, Array] = {}
        self.described: list[Array] = []
        self.reload()

    def _send(self, array: Array) -> Array:
        return self.ops.xp.asarray(array)

    def reload(self) -> None:
        """Mark all replicas active: `Engine.reload`. There are no copies of the network's arrays."""
        self.idle = np.zeros(len(self.replicas.trials), bool)
        self.layers = layers_of(self.replicas)
        self.vectors: dict[int, list[Vector]] = {}
        self.replay = Replay(self.ops)

    def advance(self, first: int, steps: int, *, observe: bool) -> None:
        """Take steps: `Engine.advance`. Returns when the device has taken them."""
        with self.ops.math_mode(self.tf32):
            for span in self.spans.ahead(first, steps, self._send):
                last = len(span.counts) - 1 if observe and span.first + len(span.counts) == first + steps else -1
                for s in range(len(span.counts)):
                    if s == last and self.network.batch_norms:
                        self._observed_step(span, s)
                    else:
                        self.replay.take(self._step, span, s)
        self.replicas.count(steps)
        self.ops.synchronize()

    def _step(self, span: Span, s: int) -> None:
        self._forward(span, s)
        self._backward(span, s)

    def _observed_step(self, span: Span, s: int) -> None:
        """Keep the diagnosis of a step, by parameters from before its update and statistics from after it."""
        small, n = self._small(span, s), span.counts[s]
        layers = copies_of(self.layers) if small else self.layers
        self.replay.take(self._observed_forward, span, s)
        context, (index, masks) = self._context(span, s), self.batches.tables(span, s)
        right, statistics = (None, [small.stats]) if small else (self.workspaces[n].right, self.workspaces[n].stats)
        self.gaps = self.mode_gap.measure(layers, index, masks, context, right, span.first + s)
        self.described = [diagnosis(self.ops, stats, context.schedule) for stats in statistics]
        self.replay.take(self._backward, span, s)

    def _forward(self, span: Span, s: int, *, observe: bool = False) -> None:
        """Take a step, but for what `_backward` does. `observe`: keep the statistics of small batches, too."""
        small, context = self._small(span, s), self._context(span, s)
        if small:
            small.begin(span, s, self.layers, context)
            small.middle(span, s, self.layers, context, self.replicas.sums, observe=observe)
            return
        ws, batch = self._workspace(span.counts[s]), self.batches.at(span, s, context, self.layers[0].weight)
        forward(self.ops, self.layers, batch, context, Mode.TRAINING, ws)
        loss(self.ops, self.layers, batch, context, ws, learn=True)
        self.ops.add_losses(ws.losses, ws.rows.n, self.replicas.sums)

    def _observed_forward(self, span: Span, s: int) -> None:
        self._forward(span, s, observe=True)

    def _backward(self, span: Span, s: int) -> None:
        """Update the parameters; of small batches those that are left, the first layer's weights."""
        small, context = self._small(span, s), self._context(span, s)
        if small:
            small.end(span, s, self.layers, context)
            return
        ws, batch = self._workspace(span.counts[s]), self.batches.at(span, s, context, self.layers[0].weight)
        backward(self.ops, self.layers, self.vectors[ws.rows.n], batch, context, ws)

    def _small(self, span: Span, s: int) -> SmallBatches | None:
        return self.small if self.small is not None and span.counts[s] == self.small.n else None

    def _context(self, span: Span, s: int) -> Context:
        return Context(self.spec, self.hyper, span.schedule[s], self.seed_of, self.fractions, self.plain)

    def _workspace(self, n: int) -> Workspace:
        """Return the scratch for batches of n images: an epoch's last batch may be smaller than the others."""
        if n not in self.workspaces:
            xp, replicas, drops = self.ops.xp, len(self.hyper), self.network.dropout.drops
            self.workspaces[n] = Workspace(
                xp,
                self.dtype,
                replicas,
                self.widths,
                divide(n, self.spec.micro_batch),
                self.spec,
                drops=drops,
                learning=True,
            )
        if n not in self.vectors:
            ws = self.workspaces[n]
            self.vectors[n] = vectors_of(self.layers, self.spec, ws.bias, ws.affine)
        return self.workspaces[n]

    def evaluate(self) -> dict[str, np.ndarray]:
        """Return loss and accuracy of every evaluated set: `Engine.evaluate`."""
        kind, inputs = self.replicas.settings.evaluation.statistics, self.inputs
        schedule = self.ops.xp.zeros((len(self.hyper), 4), self.dtype)  # which inference does not read
        context = Context(self.spec, self.hyper, schedule, self.seed_of, self.fractions)
        means: dict[str, np.ndarray] = {}
        with self.ops.math_mode(self.tf32), self._population() if kind == "population" else nullcontext():
            for name, (_, labels) in inputs.eval_sets.items():
                images, own = self.batches.eval_images(name), kind == "batch"
                pair = self.evaluator.evaluate(self.layers, images, labels, context, use_batch_statistics=own)
                means[f"{name}_loss"], means[f"{name}_accuracy"] = np.ascontiguousarray(to_host(pair).T)
        return means

    @contextmanager
    def _population(self) -> Iterator[None]:
        """Context in which the running statistics are those of all images, of the weights that are evaluated."""
        with self.replicas.average.in_place(), evaluate.statistics(self.network, "population", self.inputs.images):
            yield

    def diagnosis(self) -> dict[str, np.ndarray]:
        """Return what the normalisation did at the observed step: `Engine.diagnosis`."""
        diagnosis = all_to_host(self.gaps)
        for depth, values in enumerate(self.described, start=1):
            columns = np.ascontiguousarray(to_host(values).T)
            diagnosis |= {f"layer{depth}_{name}": column for name, column in zip(NAMES, columns, strict=True)}
        return diagnosis
