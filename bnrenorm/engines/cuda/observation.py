"""What the normalisation did at an observed step, and accuracies in training and inference mode on the same images."""

from typing import Any

from bnrenorm.engines.cuda.first_layer import Floats
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Layer
from bnrenorm.engines.cuda.passes import Batch, Operations, forward, loss
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.cuda.rows import Mask, Mode, Rows, divide
from bnrenorm.engines.cuda.workspace import Workspace
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.mode_gap import IMAGES, next_batches
from bnrenorm.norm.diagnosis import NAMES

Array = Any


def diagnosis(ops: Operations, stats: Array, schedule: Array) -> Array:
    """Describe what a batch normalisation did in a training pass, (R, 12) float64: columns as in `norm.diagnosis`.

    stats (R, groups, 6, K), as in `Workspace.stats`; schedule (R, 4) of the step.
    """
    replicas, groups, _, width = stats.shape
    values = ops.xp.empty((replicas, len(NAMES)))
    if 2 * groups * width * stats.itemsize <= ops.shared_memory:
        ops.diagnose(stats, schedule, values)
    else:
        Reference().diagnose(stats, schedule, values)
    return values


class ModeGap:
    """Measures the accuracies of `engines.mode_gap` by kernels, with the weights from before the step's update."""

    def __init__(
        self, ops: Operations, dtype: Any, inputs: Inputs, seeds: list[int], widths: tuple[int, ...], micro_batch: int
    ):  # fmt: skip
        self.ops, self.dtype, self.inputs = ops, dtype, inputs
        self.seeds, self.widths = seeds, widths
        self.group = micro_batch or inputs.sampler.size

    def measure(
        self,
        layers: list[Layer],
        index: Array | None,
        masks: list[Mask],
        context: Context,
        right: Array | None,
        step: int,
    ) -> dict[str, Array]:
        """Return training_mode_accuracy and inference_mode_accuracy, (R,) each, after the forward pass of a step.

        index and masks are the batch's (`passes.Batch`). Where batches have IMAGES images or more, the first ones are
        shown, in their own answers, right (R, N). Otherwise the next batches are drawn, with the step's dropout and
        limits.
        """
        if self.inputs.sampler.size < IMAGES:
            return self._by_next_batches(layers, masks, context, step)
        assert right is not None
        images = min(IMAGES, right.shape[1])  # of an epoch's last batch, which may be smaller
        if index is None:
            probe = Batch(Floats(self.inputs.images[:images]), self.inputs.labels, None, [])
        else:
            index = index[:, :images]
            probe = Batch(Floats(self._images(index), context.seed_of), self.inputs.labels, index, [])
        inference = self._accuracy(layers, probe, context, Mode.RUNNING, divide(images))
        return {"training_mode_accuracy": right[:, :images].mean(axis=1), "inference_mode_accuracy": inference}

    def _by_next_batches(self, layers: list[Layer], masks: list[Mask], context: Context, step: int) -> dict[str, Array]:
        index = self.ops.xp.asarray(next_batches(self.inputs.sampler, self.seeds, step, self.group))
        probe = Batch(Floats(self._images(index), context.seed_of), self.inputs.labels, index, [])
        dropped = probe
        if masks:
            dropped = Batch(Floats(self._images(index, masks[0])), self.inputs.labels, index, masks)
        rows = divide(index.shape[1], self.group)
        training = self._accuracy(layers, dropped, context, Mode.FROZEN, rows)
        inference = self._accuracy(layers, probe, context, Mode.RUNNING, divide(rows.n))
        return {"training_mode_accuracy": training, "inference_mode_accuracy": inference}

    def _images(self, index: Array, mask: Mask | None = None) -> Array:
        """Return the images at index (S, N), (S, N, D); with a mask (R, N, D), dropped inputs being 0."""
        many = len(index) if mask is None else len(mask.seed_of)
        x = self.ops.xp.empty((many, index.shape[1], self.widths[0]), self.dtype)
        self.ops.gather(self.inputs.images, index, x, mask)
        return x

    def _accuracy(self, layers: list[Layer], batch: Batch, context: Context, mode: Mode, rows: Rows) -> Array:
        xp, drops = self.ops.xp, bool(context.fractions)
        ws = Workspace(xp, self.dtype, len(context.hyper), self.widths, rows, context.spec, drops=drops, learning=False)
        sums = xp.zeros((len(context.hyper), 2))
        forward(self.ops, layers, batch, context, mode, ws)
        loss(self.ops, layers, batch, context, ws, learn=False)
        self.ops.add_losses(ws.losses, rows.n, sums)
        return sums[:, 1]
