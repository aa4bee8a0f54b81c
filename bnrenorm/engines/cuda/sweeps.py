"""Minibatches that share one pass over the first layer's weights with the batch before: see kernels/sweep.cu."""

from typing import Any

from bnrenorm.config.schema import Full, Settings
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.pixels import TILE
from bnrenorm.engines.cuda.spans import Span
from bnrenorm.engines.cuda.tensor_launches import MOST_ROWS, sweep_shared
from bnrenorm.engines.cuda.workspace import Workspace

Array = Any

LARGEST = 128
"""Images of a batch up to which a warp's gradients and sums fit in registers."""


def suits(settings: Settings, inputs: int, sampler: Sampler, shared_memory: int) -> bool:
    """Tell whether there is a kernel for these settings, in blocks of at most so many bytes of shared memory.

    The images must be of bytes, and the GPU must have tensor cores that take bfloat16.
    """
    if isinstance(settings.training.batch, Full):
        return False
    fits = sampler.size <= LARGEST and sweep_shared(sampler.size, MOST_ROWS) <= shared_memory
    return fits and inputs % TILE == 0 and not settings.model.dropout.drops


class Sweeps:
    """The images of a group's batches, one after the other: a `first_layer.First` of the step that it is at.

    images (M, D) are of bytes; n: images of a batch; seed_of (R,) int32: each replica's seed, of `seeds`.
    """

    def __init__(self, ops: Any, images: Array, seeds: int, n: int, seed_of: Array):
        self.ops, self.images, self.seed_of, self.n = ops, images, seed_of, n
        tiles, padded = images.shape[1] // TILE, -(-n // TILE) * TILE
        self.by_image = ops.xp.empty((seeds, tiles, padded, TILE), "uint16")
        self.by_pixel = [ops.xp.empty((seeds, tiles, TILE, padded), "uint16") for _ in range(2)]
        self.current, self.next = self.by_pixel
        self.following: Array | None = None

    def at(self, span: Span, s: int, weight: Tensor, context: Any, a: Array) -> "Sweeps":
        """Go to step s of the span, the one behind the last: a (R, N, K) has its products with the weights then.

        Only of steps whose batches have n images.
        """
        self.current, self.next = self.by_pixel[s % 2], self.by_pixel[(s + 1) % 2]
        if s == 0 or span.counts[s - 1] != self.n:
            self.ops.pack(self.images, span.index[s], self.by_image, self.current)
            self._sweep(None, self.by_image, a, weight, context, a)
        goes_on = s + 1 < len(span.counts) and span.counts[s + 1] == self.n
        self.following = span.index[s + 1] if goes_on else None
        return self

    def multiply(self, ops: Any, weight: Array, a: Array) -> None:
        """Leave the products as they are."""

    def form(self, context: Any) -> dict[str, Array]:
        """Take the gradient as it is."""
        return {}

    def learn(self, ops: Any, g: Array, weight: Tensor, context: Any, ws: Workspace) -> None:
        """Take the optimizer's step, and multiply the next batch of the span if there is one."""
        following = None
        if self.following is not None:
            self.ops.pack(self.images, self.following, self.by_image, self.next)
            following = self.by_image
        self._sweep(self.current, following, g, weight, context, ws.a[0])

    def _sweep(self, current: Array, following: Array, g: Array, weight: Tensor, context: Any, a: Array) -> None:
        self.ops.sweep(
            current, following, self.seed_of, context.spec.optimizer, context.hyper, context.schedule, g, weight, a
        )
