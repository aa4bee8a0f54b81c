"""Steps of networks with one hidden layer and small batches: two launches each, see kernels/small.cu."""

from typing import Any

from bnrenorm.config.schema import Full, Settings
from bnrenorm.data.sampling import Sampler
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Layer
from bnrenorm.engines.cuda.passes import Operations
from bnrenorm.engines.cuda.small_launches import first_shared, middle_shared
from bnrenorm.engines.cuda.spans import Span
from bnrenorm.engines.inputs import Inputs
from bnrenorm.engines.spec import BATCH, FIXED, MOMENTUM, NODE, NONE, SGD, KernelSpec

Array = Any

LARGEST = 32
"""Images of a batch up to which a node's activations fit in registers."""

_STATIC = 2048  # bytes of shared memory that kernels have besides, and that the driver reserves


def suits(
    settings: Settings, spec: KernelSpec, widths: tuple[int, ...], sampler: Sampler, itemsize: int, shared_memory: int
) -> bool:
    """Tell whether there are kernels for these settings, in blocks of at most so many bytes of shared memory."""
    if isinstance(settings.training.batch, Full) or len(widths) != 3:
        return False
    inputs, width, classes = widths
    n = sampler.size
    needed = max(first_shared(n, inputs, itemsize), middle_shared(n, width, classes, itemsize))
    return (
        n <= LARGEST
        and inputs % 4 == 0
        and needed + _STATIC <= shared_memory
        and spec.norm in (NONE, BATCH)
        and spec.affine in (NODE, FIXED)
        and spec.optimizer in (SGD, MOMENTUM)
        and not spec.micro_batch
        and not settings.model.dropout.drops
        and settings.evaluation.average is None
    )


class SmallBatches:
    """Takes the steps of a group that `suits`, but for those of an epoch's smaller last batch.

    `stats` (R, 1, 6, K) has the statistics of the last observed step.
    """

    def __init__(self, ops: Operations, dtype: Any, replicas: int, width: int, inputs: Inputs):
        self.ops, self.inputs, self.n = ops, inputs, inputs.sampler.size
        self.products, self.gradient = (ops.xp.empty((replicas, self.n, width), dtype) for _ in range(2))
        self.stats = ops.xp.empty((replicas, 1, 6, width), dtype)

    def begin(self, span: Span, s: int, layers: list[Layer], context: Context) -> None:
        """Multiply the batch of step s with the first layer's weights, if the step before has not."""
        if s == 0 or span.counts[s - 1] != self.n:
            self._first(None, span.index[s], layers, context)

    def middle(self, span: Span, s: int, layers: list[Layer], context: Context, sums: Array, *, observe: bool) -> None:
        """Take step s of the span, but for the update of the first layer's weights, which is left to `end`."""
        self.ops.middle(
            self.inputs.labels, span.index[s], context, self.products, self.gradient, layers,
            self.stats if observe else None, sums,
        )  # fmt: skip

    def end(self, span: Span, s: int, layers: list[Layer], context: Context) -> None:
        """Update the first layer's weights, and multiply the batch of step s + 1, if the span has one of that size."""
        goes_on = s + 1 < len(span.counts) and span.counts[s + 1] == self.n
        following = span.index[s + 1] if goes_on else None
        self._first(span.index[s], following, layers, context)

    def _first(self, index: Array | None, following: Array | None, layers: list[Layer], context: Context) -> None:
        self.ops.first(self.inputs.images, index, following, context, self.gradient, layers[0].weight, self.products)
