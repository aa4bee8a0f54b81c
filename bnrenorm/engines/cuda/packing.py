"""How arrays and numbers are passed to kernels, and the sizes of their blocks."""

from typing import Any

import numpy as np

from bnrenorm.engines.cuda.parameters import Vector
from bnrenorm.engines.cuda.rows import Mask, Rows

Array = Any

WARP, LANES, THREADS = 32, 8, 256
BLOCK, LINE = (WARP, LANES), (THREADS,)
FILLING = 4096
"""Blocks that fill any GPU: an elementwise pass needs no more."""

MOST_REPLICAS = 65_535
"""Replicas of a group: they are the second axis of most grids, and CUDA takes no more there."""

_NULL = np.uintp(0)


def table_row(vector: Vector) -> list[int]:
    """Return a row of the table that `update_vectors` in kernels/update.cu takes."""
    value, *states = vector.tensor
    _, pieces, width = vector.gradient.shape
    addresses = [0 if array is None else array.data.ptr for array in (value, *states, vector.gradient)]
    return [*addresses, value.shape[1], pieces, width, vector.column, vector.divisor]


def argument(value: Any) -> Any:
    """Return an argument of a launch: integers have 32 bits, and None is the null pointer."""
    if value is None:
        return _NULL
    return np.int32(value) if isinstance(value, int) else value


def columns(rows: Rows, array: Array) -> tuple[int, int]:
    """Return the grid of a kernel over the columns of an array (R, N, K)."""
    return rows.total * ceil(array.shape[2], WARP), len(array)


def index(index: Array | None) -> tuple[Any, int]:
    """Return what kernels take for indices (S, N), rows of which may lie apart."""
    return (None, 0) if index is None else (index, index.strides[0] // index.itemsize)


def mask(mask: Mask | None) -> tuple[Any, ...]:
    """Return what kernels take for a mask of dropout: ranks, their stride, seeds and counts."""
    if mask is None:
        return None, 0, None, None
    return mask.ranks, mask.ranks.strides[0] // mask.ranks.itemsize, mask.seed_of, mask.kept


def thirds(parts: Array | None) -> tuple[int, Any]:
    """Return what kernels take for thirds (R, N, PARTS, Q): Q, and the array."""
    return (0, None) if parts is None else (parts.shape[-1], parts)


def ceil(a: int, b: int) -> int:
    """Return a / b, rounded up."""
    return -(-a // b)
