"""Loss and accuracy of a group's replicas in inference mode, a few replicas and images at a time."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda import pixels
from bnrenorm.engines.cuda.first_layer import shared
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Layer, Tensor
from bnrenorm.engines.cuda.passes import Batch, Operations, forward, loss
from bnrenorm.engines.cuda.rows import Mode, divide
from bnrenorm.engines.cuda.workspace import Workspace, bytes_of

Array = Any

BUDGET = 2**29
"""Bytes of scratch that an evaluation may take, if a single replica needs no more."""

_IMAGES = 10_000  # at a time, where the statistics do not need the whole set at once


class Evaluator:
    """Evaluates networks of given widths, inputs and classes included."""

    def __init__(self, ops: Operations, dtype: Any, widths: tuple[int, ...], *, averaged: bool):
        self.ops, self.dtype, self.widths, self.averaged = ops, np.dtype(dtype), widths, averaged

    def evaluate(
        self, layers: list[Layer], images: Array, labels: Array, context: Context, *, use_batch_statistics: bool
    ) -> Array:
        """Return mean loss and accuracy, float64 (R, 2) on the device, of images (M, D) with labels (M,).

        images may be `pixels.repeated` ones (M, PARTS, P).
        With `use_batch_statistics` batch norms use the images' own statistics instead of the running ones.
        """
        mode = Mode.OWN if use_batch_statistics else Mode.RUNNING
        at_once = len(images) if use_batch_statistics else min(len(images), _IMAGES)
        replicas, rows, drops = len(context.hyper), divide(at_once), bool(context.fractions)
        scratch = bytes_of(self.dtype, self.widths, rows, context.spec, drops=drops, learning=False)
        if images.ndim == 3:
            scratch += self.widths[1] * pixels.bytes_of(self.widths[0])
        slice_length = max(1, min(replicas, BUDGET // scratch))
        sums = self.ops.xp.zeros((replicas, 2))
        for begin in range(0, replicas, slice_length):
            part = slice(begin, min(begin + slice_length, replicas))
            own, own_context = [_part_of(layer, part) for layer in layers], _part_of_context(context, part)
            for start in range(0, len(images), at_once):
                x, chunk = images[start : start + at_once], labels[start : start + at_once]
                first = shared(self.ops, x, len(own_context.hyper), self.widths[1])
                losses = self._losses(own, Batch(first, chunk, None, []), own_context, mode)
                self.ops.add_losses(losses, len(images), sums[part])
        return sums

    def _losses(self, layers: list[Layer], batch: Batch, context: Context, mode: Mode) -> Array:
        """Return sums of losses and right answers, (R, pieces, 2)."""
        replicas, drops = len(context.hyper), bool(context.fractions)
        rows, spec = divide(len(batch.labels)), context.spec
        ws = Workspace(self.ops.xp, self.dtype, replicas, self.widths, rows, spec, drops=drops, learning=False)
        forward(self.ops, layers, batch, context, mode, ws, averaged=self.averaged)
        loss(self.ops, layers, batch, context, ws, learn=False, averaged=self.averaged)
        return ws.losses


def _part_of(layer: Layer, part: slice) -> Layer:
    """Return a layer of some of the replicas, as views."""

    def cut(tensor: Tensor) -> Tensor:
        return Tensor(*(None if array is None else array[part] for array in tensor))

    gamma, beta = (None if tensor is None else cut(tensor) for tensor in (layer.gamma, layer.beta))
    run = None if layer.run is None else (layer.run[0][part], layer.run[1][part])
    return Layer(cut(layer.weight), cut(layer.bias), gamma, beta, run)


def _part_of_context(context: Context, part: slice) -> Context:
    return context._replace(
        hyper=context.hyper[part],
        schedule=context.schedule[part],
        seed_of=context.seed_of[part],
        fractions=[fraction[part] for fraction in context.fractions],
    )
