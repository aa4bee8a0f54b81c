"""Each step's images, in the form that the first layer takes them in on this GPU."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bnrenorm.config.schema import Settings
from bnrenorm.engines.cuda import pixels, sweeps
from bnrenorm.engines.cuda.first_layer import First, Floats, Pixels, thirds
from bnrenorm.engines.cuda.passes import Batch, Context, Operations
from bnrenorm.engines.cuda.rows import Mask
from bnrenorm.engines.cuda.spans import Span, Spans
from bnrenorm.engines.cuda.sweeps import Sweeps
from bnrenorm.engines.cuda.workspace import Workspace
from bnrenorm.engines.inputs import Inputs
from bnrenorm.network import dropout

Array = Any


class Batches:
    """The batches of a group, and `eval_images`, the images of each evaluated set.

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
        self.kept = self._kept()
        self.scratch: dict[tuple[str, int], Array] = {}
        self.runs = pixels.runs_of(0 * spans.seed_of if spans.full else spans.seed_of)
        can = dtype == np.float32 and ops.has_tensor_cores and pixels.are_bytes(ops.xp, inputs.images)
        takes = can and not small and not self.drops
        self.sweeps = self.pixels = None
        if takes and sweeps.suits(settings, widths[0], inputs.sampler, ops.shared_memory):
            self.sweeps = Sweeps(ops, inputs.images, len(spans.seeds), inputs.sampler.size, self.seed_of)
        elif takes:
            self.pixels = pixels.repeated(ops.xp, inputs.images)
        self.eval_images = {
            name: self._for_evaluation(images) if can else images for name, (images, _) in inputs.eval_sets.items()
        }

    def _for_evaluation(self, images: Array) -> Array:
        if images is self.inputs.images and self.pixels is not None:
            return self.pixels
        return pixels.repeated(self.ops.xp, images) if pixels.are_bytes(self.ops.xp, images) else images

    def _kept(self) -> list[Array]:
        """Return how many nodes of each layer's inputs a replica keeps, (R,) each; none without dropout."""
        rule, xp = self.spans.dropout, self.ops.xp
        if not rule.drops:
            return []
        return [
            xp.asarray(np.array([dropout.kept(fraction, width) for fraction in fractions], np.int32))
            for fractions, width in zip(rule.fractions, rule.widths, strict=True)
        ]

    def at(self, span: Span, s: int, context: Context, weight: Any, ws: Workspace) -> Batch:
        """Return the batch of step s of a span. weight: the first layer's `Tensor`; ws: the step's scratch."""
        n = ws.rows.n
        index = None if span.index is None else span.index[s, :, :n]
        masks, begin = [], 0
        for width, kept in zip(self.widths, self.kept, strict=False):
            masks.append(Mask(span.ranks[s, :, begin : begin + width], kept, self.seed_of))
            begin += width
        if self.sweeps is not None and n == self.sweeps.n:
            first: First = self.sweeps.at(span, s, weight, context, ws.a[0])
        elif self.pixels is not None:
            first = self._of_pixels(self.pixels, index, n)
        else:
            first = self._of_floats(index, n, masks)
        return Batch(first, self.inputs.labels, index, masks)

    def _of_floats(self, index: Array | None, n: int, masks: list[Mask]) -> Floats:
        if masks:
            return Floats(self._gathered(self.inputs.images, index, len(self.seed_of), n, masks[0]))
        if index is None:
            return Floats(self.inputs.images)
        return Floats(self._gathered(self.inputs.images, index, len(self.spans.seeds), n), self.seed_of)

    def _of_pixels(self, images: Array, index: Array | None, n: int) -> Pixels:
        xp, replicas, (inputs, width, *_) = self.ops.xp, len(self.seed_of), self.widths
        x = images[None]
        if index is not None:
            shape = len(self.spans.seeds), n, *images.shape[1:]
            x = self._once("pixels", n, lambda: xp.empty(shape, images.dtype))
            self.ops.gather_pixels(images, index, x)
        weights = self._once("weights", 0, lambda: thirds(xp, replicas, width, inputs))
        return Pixels(x, self.runs, weights, self._once("gradients", n, lambda: thirds(xp, replicas, n, width)))

    def _gathered(self, images: Array, index: Array | None, many: int, n: int, mask: Mask | None = None) -> Array:
        """Return the images (M, D) of a batch, (S, N, D), or after dropout (R, N, D)."""
        x = self._once("images", n, lambda: self.ops.xp.empty((many, n, images.shape[1]), self.dtype))
        self.ops.gather(images, index, x, mask)
        return x

    def _once(self, name: str, n: int, make: Callable[[], Array]) -> Array:
        """Return the scratch of that name for batches of n images, always the same."""
        if (name, n) not in self.scratch:
            self.scratch[name, n] = make()
        return self.scratch[name, n]
