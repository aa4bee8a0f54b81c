"""The products of a linear layer, one replica: by BLAS, or by hand where a batch has so few rows that packing the
weights for BLAS costs more than the product itself.

x is (N, D), w (K, D), b (K,), y and gy (N, K), all of one float dtype and contiguous.
"""

from bnrenorm.fused import blas
from bnrenorm.fused.compiled import inlined

FEW = 8
"""Rows up to which gradients are not multiplied out but applied as they are, row by row of the weights."""

_SMALL = 900_000  # multiplications up to which OpenBLAS packs nothing


@inlined
def forward(x, w, b, y):
    """y = x w^T + b."""
    n, depth = x.shape
    width = w.shape[0]
    chunk = width if n > FEW else max(16, _SMALL // (n * depth) // 16 * 16)
    for first in range(0, width, chunk):
        blas.outputs(x, w[first : first + chunk], y[:, first:], width)
    for i in range(n):
        for k in range(width):
            y[i, k] += b[k]


@inlined
def weight_row(gy, x, k, n, g):
    """g = row k of gy^T x over the first n rows, part of the weights' gradient: (D,)."""
    depth = x.shape[1]
    for j in range(depth):
        g[j] = 0
    for i in range(0, n, 4):
        a0, a1, a2, a3, x0, x1, x2, x3 = four(gy, x, k, i, n)
        for j in range(depth):
            g[j] += a0 * x0[j] + a1 * x1[j] + a2 * x2[j] + a3 * x3[j]


@inlined
def four(gy, x, k, i, n):
    """Return the factors of rows i to i + 3 and the rows; beyond n the factor is 0 and the row the first."""
    zero, last = gy.dtype.type(0), n - 1
    a1 = gy[i + 1, k] if i + 1 <= last else zero
    a2 = gy[i + 2, k] if i + 2 <= last else zero
    a3 = gy[i + 3, k] if i + 3 <= last else zero
    return gy[i, k], a1, a2, a3, x[i], x[min(i + 1, last)], x[min(i + 2, last)], x[min(i + 3, last)]
