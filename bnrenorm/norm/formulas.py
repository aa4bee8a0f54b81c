"""Batch (re)normalisation as pure functions of NumPy or CuPy arrays: the executable specification.

`x`, `gy`, `gx` are (R, N, D): R replicas, N examples, D features. Statistics, parameters and their gradients are
(R, 1, D). `std` always contains eps: std = sqrt(var + eps). No input is modified; results have the dtype of x.
"""

import importlib
from functools import cache
from typing import Any

import numpy as np

Array = Any  # numpy.ndarray or cupy.ndarray

_ROWS = 4096  # rows centred at a time on a CPU: a chunk stays in cache, and partial sums keep float32 accurate


def moments(x: Array) -> tuple[Array, Array]:
    """Return mean and biased variance over the batch, each (R, 1, D).

    The mean is summed in float64, and the variance in a second pass over centred values: in float32 a variance of 1
    keeps its digits at a mean of 1e4.
    """
    mean = x.mean(axis=1, keepdims=True, dtype=np.float64).astype(x.dtype)
    if array_module(x) is not np:
        return mean, _fused_sum("(a - b) * (a - b)")(x, mean, axis=1, keepdims=True) / x.dtype.type(x.shape[1])
    squares = 0
    for start in range(0, x.shape[1], _ROWS):
        centred = x[:, start : start + _ROWS] - mean
        squares = squares + _column_dot(centred, centred)
    return mean, squares / x.dtype.type(x.shape[1])


def corrections(
    mean: Array, std: Array, run_mean: Array, run_std: Array, r_max: Array, d_max: Array
) -> tuple[Array, Array]:
    """Return the clipped map from batch to running statistics: (r, d), each (R, 1, D). [BRN17, Alg. 1]

    The gradient treats them as constants. r_max >= 1 and d_max >= 0 are (R, 1, 1) or numbers; with r_max = 1 and
    d_max = 0 a replica has exactly r = 1 and d = 0, which is batch normalisation.
    """
    r = (std / run_std).clip(1 / r_max, r_max)
    d = ((mean - run_mean) / run_std).clip(-d_max, d_max)
    return r, d


def forward(x: Array, gamma: Array, beta: Array, mean: Array, std: Array, r: Array, d: Array) -> Array:
    """Return y = gamma ((x - mean) / std * r + d) + beta, (R, N, D). [BRN17, Alg. 1]"""
    y = x - mean
    y *= gamma * r / std
    y += gamma * d + beta
    return y


def backward(
    gy: Array, x: Array, gamma: Array, mean: Array, std: Array, r: Array, d: Array
) -> tuple[Array, Array, Array]:
    """Return the gradients (gx, ggamma, gbeta) of `forward`: gx (R, N, D), the others (R, 1, D). [BRN17, sec. 3]

    mean and std depend on x; r and d are constants. With xn = (x - mean) / std and g = gamma r gy / std:
    gx = g - mean(g) - xn mean(g xn).
    """
    n = x.dtype.type(x.shape[1])
    gx = x - mean
    sum_dy_xmu = _column_dot(gy, gx)
    gbeta = gy.sum(axis=1, keepdims=True)
    ggamma = sum_dy_xmu * (r / std) + gbeta * d
    gx *= -sum_dy_xmu / (n * std * std)
    gx += gy
    gx -= gbeta / n
    gx *= gamma * r / std
    return gx, ggamma, gbeta


def moving_average(running: Array, new: Array, decay: Array) -> Array:
    """Return decay * running + (1 - decay) * new. [BRN17, Alg. 1, with alpha = 1 - decay]"""
    return running + (1 - decay) * (new - running)


def _column_dot(a: Array, b: Array) -> Array:
    """Return the sum of a * b over the batch, (R, 1, D), without allocating the product."""
    if array_module(a) is not np:
        return _fused_sum("a * b")(a, b, axis=1, keepdims=True)
    return np.einsum("rnd,rnd->rd", a, b)[:, None]


@cache
def _fused_sum(term: str) -> Any:
    """Return CuPy's kernel that sums a term of arrays a and b along an axis, in float64.

    CuPy's einsum copies both arrays to transpose them, for a product of 1 x 1 matrices.
    """
    cupy = importlib.import_module("cupy")
    return cupy.ReductionKernel("T a, T b", "T y", term, "a + b", "y = a", "0", "bnrenorm_sum", reduce_type="double")


def array_module(array: Array) -> Any:
    """Return the array's module: numpy or cupy."""
    return np if isinstance(array, np.ndarray) else importlib.import_module("cupy")
