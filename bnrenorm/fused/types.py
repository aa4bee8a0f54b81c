"""What kernels are given besides arrays: the network's kind, its numbers, and room to work in."""

from typing import Any, NamedTuple

import numpy as np

from bnrenorm.fused.compiled import inlined
from bnrenorm.fused.vectors import LINE

NONE, BATCH, LAYER = range(3)
NODE, SHARED, FIXED = range(3)  # gamma and beta: one a node, one a layer, none


class Kind(NamedTuple):
    """What replicas of a group share; ints, as numba likes them."""

    norm: int
    affine: int
    norm_first: int
    keep_std: int  # the running average is of the standard deviation, not of the variance
    optimizer: int
    micro_batch: int  # 0: the whole batch is normalised together


class Numbers(NamedTuple):
    """What each replica has of its own; all of the parameters' dtype."""

    decay: Any  # of the running statistics
    eps: Any
    a: Any  # the optimizer's, as `update.row` has them
    b: Any
    optimizer_eps: Any
    weight_decay: Any
    average_decay: Any


class Places(NamedTuple):
    """Where each layer's numbers begin in a replica's rows, (L,) each; L counts the output layer, which has no norm."""

    shape: np.ndarray  # inputs, hidden widths, classes: (L + 1,)
    w: np.ndarray  # (K, D) each, but for the first: (D, pitch)
    b: np.ndarray
    affine: np.ndarray
    run: np.ndarray
    widest: int  # layer, the images aside
    largest: int  # layer's weights
    pitch: int  # of the first layer's weights: its width, rounded up to whole cache lines


class Room(NamedTuple):
    """Scratch of one replica's step, for batches of at most N rows; W is the widest layer, H counts hidden layers."""

    labels: np.ndarray  # (N,)
    given: np.ndarray  # (H, N W): what each norm was given
    out: np.ndarray  # (H, N W): what each hidden layer puts out
    logits: np.ndarray  # (N, classes)
    glogits: np.ndarray
    g: np.ndarray  # (2, N W): gradients on their way back
    stats: np.ndarray  # (H, parts, 6, W): of each normalised part, as `propagate.normalise` leaves them
    rows: np.ndarray  # (H, 2, N): layer normalisation's mean and std
    affine: np.ndarray  # (H, 2, W): gamma, beta
    nodes: np.ndarray  # (8, W): for sums
    total: np.ndarray  # (W,) float64
    gw: np.ndarray  # (largest layer's weights,)


@inlined
def room(places, n, parts, like):
    """Make the scratch, of the dtype of `like`."""
    shape, width, real = places.shape, places.widest, like.dtype
    hidden = len(shape) - 2
    return Room(
        np.empty(n, np.int32),
        np.empty((hidden, n * width), real),
        np.empty((hidden, n * width), real),
        np.empty((n, shape[-1]), real),
        np.empty((n, shape[-1]), real),
        np.empty((2, n * width), real),
        np.empty((hidden, parts, 6, width), real),
        np.empty((hidden, 2, n), real),
        np.empty((hidden, 2, width), real),
        np.empty((8, width), real),
        np.empty(width, np.float64),
        np.zeros(max(places.largest, 2 * width), real),
    )


@inlined
def table(n, pitch, like):
    """Make an array (n, pitch) that begins with a cache line."""
    size = like.itemsize
    raw = np.empty(n * pitch + LINE // size, like.dtype)
    skip = -raw.ctypes.data % LINE // size
    return raw[skip : skip + n * pitch].reshape(n, pitch)  # which keeps `raw` alive


@inlined
def copy(to, x):
    """Copy a 2-D array into another, without what numba brings along for its error messages."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            to[i, k] = x[i, k]


@inlined
def zero(x):
    """Set a 1-D array to 0."""
    for k in range(len(x)):
        x[k] = 0
