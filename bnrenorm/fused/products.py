"""The forward product of a linear layer above the first, one replica."""

from bnrenorm.fused import blas
from bnrenorm.fused.compiled import inlined

_FEW = 8  # rows for which packing the weights costs BLAS more than the product itself
_SMALL = 900_000  # multiplications up to which OpenBLAS packs nothing


@inlined
def forward(x, w, b, y):
    """y = x w^T + b: x (N, D), w (K, D), b (K,), y (N, K), of one float dtype and contiguous."""
    n, depth = x.shape
    width = w.shape[0]
    chunk = width if n > _FEW else max(16, _SMALL // (n * depth) // 16 * 16)
    for first in range(0, width, chunk):
        blas.outputs(x, w[first : first + chunk], y[:, first:], width)
    for i in range(n):
        for k in range(width):
            y[i, k] += b[k]
