"""Each step's images, in the form that the first layer takes them in on this GPU."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm.config.schema import Settings
from bnrenorm.engines.cuda import pixels, sweeps
from bnrenorm.engines.cuda.first_layer import First, Floats, Pixels, thirds
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.passes import Batch, Operations
from bnrenorm.engines.cuda.rows import Mask
from bnrenorm.engines.cuda.spans import Span, Spans
from bnrenorm.engines.cuda.sweeps import Sweeps
from bnrenorm.engines.inputs import Inputs

Array = Any


class Batches:
    """The batches of a group, and the images of each evaluated set.

    Where the GPU's tensor cores take these images in the engine's dtype, they do (see `pixels`): in evaluation, and in
    training without dropout, minibatches of a moderate size by `sweeps`, but for an epoch's smaller last one. widths:
    of the network; `small`: small batches are trained in another way.
    """

    def __init__(
        self, ops: Operations, dtype: Any, inputs: Inputs, settings: Settings, spans: Spans, widths: tuple[int, ...],
        *, small: bool,
    ):  # fmt: skip
        self.ops, self.dtype, self.inputs, self.spans, self.widths = ops, dtype, inputs, spans, widths
        self.seed_of = ops.xp.asarray(spans.seed_of)
        self.drops = spans.dropout.drops
        counts = spans.dropout.counts if self.drops else []
        self.kept = [ops.xp.asarray(np.array(of_layer, np.int32)) for of_layer in counts]  # (R,) each
        self.scratch: dict[tuple[str, int], Array] = {}
        self.runs = pixels.runs_of(0 * spans.seed_of if spans.full else spans.seed_of)
        self.evaluated: dict[str, tuple[Array, Array]] = {}
        self.by_tensor_cores = dtype == np.float32 and ops.has_tensor_cores and pixels.are_bytes(ops.xp, inputs.images)
        takes = self.by_tensor_cores and not small and not self.drops
        self.sweeps = self.pixels = None
        if takes and sweeps.suits(settings, widths[0], inputs.sampler, ops.shared_memory):
            self.sweeps = Sweeps(ops, inputs.images, len(spans.seeds), inputs.sampler.size)
        elif takes:
            self.pixels = pixels.repeated(ops.xp, inputs.images)

    def eval_images(self, name: str) -> Array:
        """Return the images of an evaluated set; they are prepared when they are new."""
        images, _ = self.inputs.eval_sets[name]
        if name not in self.evaluated or self.evaluated[name][0] is not images:
            self.evaluated[name] = images, self._for_evaluation(images)
        return self.evaluated[name][1]

    def _for_evaluation(self, images: Array) -> Array:
        if not self.by_tensor_cores:
            return images
        if images is self.inputs.images and self.pixels is not None:
            return self.pixels
        return pixels.repeated(self.ops.xp, images) if pixels.are_bytes(self.ops.xp, images) else images

    def tables(self, span: Span, s: int) -> tuple[Array | None, list[Mask]]:
        """Return the indices (S, N) of step s of a span and the masks of its dropout, as in a `Batch`."""
        index = None if span.index is None else span.index[s, :, : span.counts[s]]
        masks, begin = [], 0
        for width, kept in zip(self.widths, self.kept, strict=False):
            masks.append(Mask(span.ranks[s, :, begin : begin + width], kept, self.seed_of))
            begin += width
        return index, masks

    def at(self, span: Span, s: int, context: Context, weight: Any) -> Batch:
        """Return the batch of step s of a span; nothing is launched. weight: the first layer's `Tensor`."""
        n, (index, masks) = span.counts[s], self.tables(span, s)
        if self.sweeps is not None and n == self.sweeps.n:
            first: First = self.sweeps.at(span, s, weight, context)
        elif self.pixels is not None:
            first = self._of_pixels(self.pixels, index, n)
        else:
            first = self._of_floats(index, n, masks)
        return Batch(first, self.inputs.labels, index, masks)

    def _of_floats(self, index: Array | None, n: int, masks: list[Mask]) -> Floats:
        if index is None and not masks:
            return Floats(self.inputs.images)
        many, inputs = len(self.seed_of if masks else self.spans.seeds), self.widths[0]
        x = self._once("images", n, lambda: self.ops.xp.empty((many, n, inputs), self.dtype))
        source = self.inputs.images, index, masks[0] if masks else None
        return Floats(x, None if masks else self.seed_of, source)

    def _of_pixels(self, images: Array, index: Array | None, n: int) -> Pixels:
        xp, replicas, (inputs, width, *_) = self.ops.xp, len(self.seed_of), self.widths
        weights = self._once("weights", 0, lambda: thirds(xp, replicas, width, inputs))
        gradients = self._once("gradients", n, lambda: thirds(xp, replicas, n, width))
        if index is None:
            return Pixels(images[None], self.runs, weights, gradients)
        shape = len(self.spans.seeds), n, *images.shape[1:]
        x = self._once("pixels", n, lambda: xp.empty(shape, images.dtype))
        return Pixels(x, self.runs, weights, gradients, (images, index))

    def _once(self, name: str, n: int, make: Callable[[], Array]) -> Array:
        """Return the scratch of that name for batches of n images, always the same."""
        if (name, n) not in self.scratch:
            self.scratch[name, n] = make()
        return self.scratch[name, n]
