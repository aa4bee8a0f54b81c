"""Matrix products for kernels, by SciPy's BLAS, through the function that numba's own np.dot calls.

Unlike np.dot they can write to columns of a wider array and add to what is there, and they compile quickly.
"""

import numpy as np
from numba.extending import overload

from bnrenorm.engines.cpu.codegen import numba_private
from bnrenorm.engines.cpu.codegen.decorators import subroutine

_NO, _YES = ord("n"), ord("t")


def gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, add, c, ldc):
    """Compute c = op(a) op(b), or c += op(a) op(b) with `add` 1, in BLAS's column-major order; in kernels only.

    transpose_a, transpose_b: _YES or _NO; op(a) (m, k), op(b) (k, n), c (m, n), with leading dimensions lda, ldb, ldc.
    """
    raise NotImplementedError  # never called from Python: numba compiles `_gemm` in its place


@overload(gemm)
def _gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, add, c, ldc):
    dtype = np.dtype(str(a.dtype))
    xxgemm = numba_private.xxgemm(a.dtype)
    letter = ord("s" if dtype == np.float32 else "d")
    one, zero_one = np.ones(1, dtype), np.array([0, 1], dtype)

    def call(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, add, c, ldc):
        xxgemm(
            letter, transpose_a, transpose_b, m, n, k, one.ctypes, a.ctypes, lda, b.ctypes, ldb, zero_one[add:].ctypes,
            c.ctypes, ldc,
        )  # fmt: skip

    return call


@subroutine
def forward(x, w, y, pitch):
    """Compute y = x w^T: x (N, D), w (K, D), y (N, K), whose rows begin `pitch` values apart."""
    n, depth = x.shape
    gemm(_YES, _NO, w.shape[0], n, depth, w, depth, x, depth, 0, y, pitch)


@subroutine
def backward_input(gy, w, gx):
    """Compute gx = gy w: gy (N, K), w (K, D), gx (N, >= D), whose further columns stay as they are."""
    n, width = gy.shape
    depth = w.shape[1]
    gemm(_NO, _NO, depth, n, width, w, depth, gy, width, 0, gx, gx.shape[1])


@subroutine
def backward_weight(gy, x, gw, add):
    """Compute gw = gy^T x, or gw += gy^T x with `add` 1: gy (N, K), x (N, D), gw (K, D)."""
    n, depth = x.shape
    width = gy.shape[1]
    gemm(_NO, _YES, depth, width, n, x, depth, gy, width, add, gw, depth)
