"""Launches of kernels/small.cu: the methods `first` and `middle` of `launches.Launches`."""

from typing import Any

from bnrenorm.engines.cuda import packing
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.packing import FILLING, LANES, LINE
from bnrenorm.engines.cuda.parameters import Layer, Tensor

Array = Any

ROWS_PER_WARP = 4
"""Rows of the first layer that a warp takes, where there are enough: a block loads its images once for all of them."""

FEW = 8
"""Images up to which it takes these one by one: it reads little of them, and shared memory is left for other blocks."""


def first(
    self: Any,
    images: Array,
    index: Array | None,
    following: Array | None,
    context: Context,
    gradient: Array,
    weight: Tensor,
    products: Array,
) -> None:
    """Update the first layer's weights and multiply the next batch, in one pass."""
    replicas, n, width = products.shape
    inputs = images.shape[1]
    rows = rows_per_warp(replicas, width)
    shared = first_shared(n, inputs, self.dtype.itemsize)
    grid = packing.ceil(width, LANES * rows), replicas
    self.launch(
        "first", grid, LINE,
        images, inputs, index, following, packing.index(index if following is None else following)[1],
        context.seed_of, context.spec.optimizer, context.hyper, context.schedule, gradient, width, weight.value,
        weight.exp_avg, products,
        file="small.cu", shared=shared, N=n, ROWS=rows_at_once(replicas, width, n),
    )  # fmt: skip


def middle(
    self: Any,
    labels: Array,
    index: Array,
    context: Context,
    products: Array,
    gradient: Array,
    layers: list[Layer],
    stats: Array | None,
    sums: Array,
) -> None:
    """Take the rest of a step of a network with one hidden layer."""
    spec, (hidden, last) = context.spec, layers
    replicas, n, width = products.shape
    classes = last.bias.value.shape[1]
    tensors = (hidden.bias, hidden.gamma, hidden.beta)
    states = [array for tensor in tensors for array in ((None, None) if tensor is None else tensor[:2])]
    shared = middle_shared(n, width, classes, self.dtype.itemsize)
    self.launch(
        "middle", (replicas,), LINE,
        labels, *packing.index(index), context.seed_of, spec.optimizer, context.hyper, context.schedule, products,
        gradient, width, classes, spec.norm, spec.affine, spec.norm_first, spec.track_std, *states,
        *(hidden.run or (None, None)), *last.weight[:2], *last.bias[:2], stats, sums,
        file="small.cu", shared=shared, N=n, ROWS=rows_at_once(replicas, width, n),
    )  # fmt: skip


def rows_per_warp(replicas: int, width: int) -> int:
    """Return how many rows of the first layer a warp of `first` takes."""
    return ROWS_PER_WARP if replicas * width >= FILLING else 1


def rows_at_once(replicas: int, width: int, n: int) -> int:
    """Return how many of these it takes at a time, with batches of n images."""
    return 2 if n > FEW and rows_per_warp(replicas, width) > 1 else 1


def first_shared(n: int, inputs: int, itemsize: int) -> int:
    """Return the bytes of shared memory that a block of `first` takes."""
    return 2 * n * inputs * itemsize


def middle_shared(n: int, width: int, classes: int, itemsize: int) -> int:
    """Return the bytes of shared memory that a block of `middle` takes."""
    return n * (width + classes) * itemsize
