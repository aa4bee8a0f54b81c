"""What kernels are given besides arrays: the network's kind, its numbers, and room to work in."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bnrenorm.fused.compiled import inlined, view
from bnrenorm.fused.vectors import LINE
from bnrenorm.fused.views import matrix, vector

NONE, BATCH, LAYER = range(3)
NODE, SHARED, FIXED = range(3)  # gamma and beta: one a node, one a layer, none


class Kind(NamedTuple):
    """What replicas of a group share; ints, as numba likes them."""

    norm: int
    affine: int
    mean_gradient: int  # a layer's one gamma and beta learn by the mean of their nodes' gradients, not by the sum
    norm_first: int
    keep_std: int  # the running average is of the standard deviation, not of the variance
    optimizer: int
    micro_batch: int  # 0: the whole batch is normalised together


class Numbers(NamedTuple):
    """What each replica has of its own; all of the parameters' dtype."""

    decay: Any  # of the running statistics
    eps: Any
    a: Any  # the optimizer's, as `update.part` has them
    b: Any
    optimizer_eps: Any
    l2: Any
    l1: Any
    average_decay: Any


FAN_IN, WIDTH, W, B, AFFINE, RUN = range(6)


class Places(NamedTuple):
    """Where each layer's numbers begin in a replica's rows; L counts the output layer, which has no norm."""

    layers: np.ndarray  # (L, 6): FAN_IN, WIDTH, and where W, B, gamma and beta (-1: none), and the statistics begin
    widest: int  # layer, the images aside
    largest: int  # layer's weights
    pitch: int  # of the first layer's weights, (D, pitch): its width, rounded up to whole cache lines; others (K, D)


class Room(NamedTuple):
    """Scratch of one replica's step, for batches of at most N rows: one array, and where in it everything begins.

    One array, not one each: numba's time to compile grows with the arrays that functions are given. W is the widest
    layer, H counts hidden layers.
    """

    flat: np.ndarray
    total: np.ndarray  # (W,) float64
    n: int
    width: int
    parts: int
    given: int  # (H, N, W): what each norm was given
    out: int  # (H, N, W): what each hidden layer puts out
    g: tuple[int, int]  # (N, W) each: gradients on their way back
    logits: int  # (N, classes)
    glogits: int
    stats: int  # (H, parts, 6, W): of each normalised part, as `propagate.normalise` leaves them
    rows: int  # (H, 2, N): layer normalisation's mean and std
    affine: int  # (H, 2, W): gamma, beta
    nodes: tuple[int, ...]  # 6 times (W,): for sums
    gw: int  # (largest layer's weights,)


def room(places: Places, n: int, parts: int, dtype: np.dtype) -> Room:
    """Make the scratch. Kernels make no arrays: numba would take as long to compile that as a loop or two."""
    hidden, width, classes = len(places.layers) - 1, places.widest, int(places.layers[-1, WIDTH])
    out = hidden * n * width
    g = 2 * out, 2 * out + n * width
    logits = g[1] + n * width
    glogits = logits + n * classes
    stats = glogits + n * classes
    rows = stats + hidden * parts * 6 * width
    affine = rows + hidden * 2 * n
    *nodes, gw = (affine + (2 * hidden + k) * width for k in range(7))
    flat, total = np.empty(gw + places.largest, dtype), np.empty(width, np.float64)
    return Room(flat, total, n, width, parts, 0, out, g, logits, glogits, stats, rows, affine, tuple(nodes), gw)


def table(n: int, pitch: int, dtype: Any, make: Callable[..., np.ndarray] = np.empty) -> np.ndarray:
    """Make an array (n, pitch) that begins with a cache line."""
    size = n * pitch * np.dtype(dtype).itemsize
    raw = make(size + LINE, np.uint8)
    first = -raw.ctypes.data % LINE
    return raw[first : first + size].view(dtype).reshape(n, pitch)


@view
def layer(room, at, depth, n, width):
    """View a layer's part of room.given or .out as (n, width)."""
    return matrix(room.flat, at + depth * room.n * room.width, n, width)


@view
def outputs(room, at, n, classes):
    """View room.logits or .glogits as (n, classes)."""
    return matrix(room.flat, at, n, classes)


@inlined
def rows(room, depth):
    """View a layer's room for layer normalisation's mean and std, (N,) each."""
    at = room.rows + 2 * depth * room.n
    return vector(room.flat, at, room.n), vector(room.flat, at + room.n, room.n)


@inlined
def statistics(room, depth, q, width):
    """View a part's mean, std, r, d, and the running mean and std that r and d were had from, (D,) each."""
    flat, pitch = room.flat, room.width
    at = room.stats + 6 * (depth * room.parts + q) * pitch
    return (
        vector(flat, at, width), vector(flat, at + pitch, width), vector(flat, at + 2 * pitch, width),
        vector(flat, at + 3 * pitch, width), vector(flat, at + 4 * pitch, width), vector(flat, at + 5 * pitch, width),
    )  # fmt: skip


@inlined
def copy(to, x):
    """Copy a 2-D array into another, without what numba brings along for its error messages."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):  # rows of `to` may be longer
            to[i, k] = x[i, k]


@inlined
def zero(x):
    """Set a 1-D array to 0."""
    for k in range(len(x)):
        x[k] = 0
