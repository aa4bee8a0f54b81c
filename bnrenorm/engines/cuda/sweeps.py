"""Minibatches that share one pass over the first layer's weights with the batch before: see kernels/sweep.cu."""

from typing import Any, NamedTuple

from bnrenorm.config.schema import Full, Settings
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cuda.operands import Context
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
    """What the batches of a group's sweeps share, one after the other.

    images (M, D) are of bytes; n: images of a batch, of each of the `seeds`.
    """

    def __init__(self, ops: Any, images: Array, seeds: int, n: int):
        self.images, self.n = images, n
        tiles, padded = images.shape[1] // TILE, -(-n // TILE) * TILE
        self.by_image = ops.xp.empty((seeds, tiles, padded, TILE), "uint16")
        self.by_pixel = [ops.xp.empty((seeds, tiles, TILE, padded), "uint16") for _ in range(2)]

    def at(self, span: Span, s: int, weight: Tensor, context: Context) -> "Sweep":
        """Return step s of the span, whose batch has n images."""
        starts = s == 0 or span.counts[s - 1] != self.n
        goes_on = s + 1 < len(span.counts) and span.counts[s + 1] == self.n
        first, after = span.index[s] if starts else None, span.index[s + 1] if goes_on else None
        return Sweep(self, weight, context, self.by_pixel[s % 2], self.by_pixel[(s + 1) % 2], first, after)


class Sweep(NamedTuple):
    """The images of a step's batch: a `first_layer.First`.

    first: their indices (S, N), None if the step before has multiplied them; next: those of the batch behind them, None
    if the span ends here, or goes on with a smaller one. current, following: scratch of `pack` for either batch.
    """

    of: Sweeps
    weight: Tensor
    context: Context
    current: Array
    following: Array
    first: Array | None
    next: Array | None

    def multiply(self, ops: Any, weight: Array, a: Array) -> None:
        """Multiply the images, or leave a, which has their products."""
        if self.first is not None:
            ops.pack(self.of.images, self.first, self.of.by_image, self.current)
            ops.sweep(None, self.of.by_image, self.context, a, self.weight, a)

    def form(self, context: Context) -> dict[str, Array]:
        """Take the gradient as it is."""
        return {}

    def learn(self, ops: Any, g: Array, weight: Tensor, context: Context, ws: Workspace) -> None:
        """Take the optimizer's step, and multiply the next batch."""
        following = None
        if self.next is not None:
            following = self.of.by_image
            ops.pack(self.of.images, self.next, following, self.following)
        ops.sweep(self.current, following, context, g, weight, ws.a[0])
