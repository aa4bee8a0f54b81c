"""Matrix products for kernels, by the BLAS of SciPy, through the entry that numba's own np.dot takes.

Unlike np.dot they write to a part of a wider array, add to what is there, and compile in no time.
"""

import numpy as np
from numba import types
from numba.extending import overload

from bnrenorm.engines.cpu.codegen.decorators import inlined

_NO, _YES = ord("n"), ord("t")


def gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, add, c, ldc):
    """c = op(a) op(b), or c += with `add` 1, in column-major order; for kernels only."""
    raise NotImplementedError  # Python never gets here: numba puts `_gemm` in its place when it compiles a caller


@overload(gemm)
def _gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, add, c, ldc):
    dtype = np.dtype(str(a.dtype))
    pointer = types.CPointer(a.dtype)
    number, flag = types.intp, types.char
    signature = types.intc(
        flag, flag, flag, number, number, number, pointer, pointer, number, pointer, number, pointer, pointer, number
    )
    xxgemm = types.ExternalFunction("numba_xxgemm", signature)
    spec = ord("s" if dtype == np.float32 else "d")
    one, zero_one = np.ones(1, dtype), np.array([0, 1], dtype)

    def call(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, add, c, ldc):
        xxgemm(
            spec, transpose_a, transpose_b, m, n, k, one.ctypes, a.ctypes, lda, b.ctypes, ldb, zero_one[add:].ctypes,
            c.ctypes, ldc,
        )  # fmt: skip

    return call


@inlined
def forward(x, w, y, pitch):
    """y = x w^T: x (N, D), w (K, D), y (N, K), whose rows begin every `pitch` values."""
    n, depth = x.shape
    gemm(_YES, _NO, w.shape[0], n, depth, w, depth, x, depth, 0, y, pitch)


@inlined
def backward_input(gy, w, gx):
    """gx = gy w: gy (N, K), w (K, D), gx (N, >= D), whose other columns stay as they are."""
    n, width = gy.shape
    depth = w.shape[1]
    gemm(_NO, _NO, depth, n, width, w, depth, gy, width, 0, gx, gx.shape[1])


@inlined
def backward_weight(gy, x, gw, add):
    """gw = gy^T x, or gw += with `add` 1: gy (N, K), x (N, D), gw (K, D)."""
    n, depth = x.shape
    width = gy.shape[1]
    gemm(_NO, _YES, depth, width, n, x, depth, gy, width, add, gw, depth)


@inlined
def forward_transposed(x, w, y):
    """y = x w, for weights that stand input by input: x (N, D), w (D, >= K), y (N, K)."""
    n, depth = x.shape
    width = y.shape[1]
    gemm(_NO, _NO, width, n, depth, w, w.shape[1], x, depth, 0, y, width)


@inlined
def backward_weight_transposed(gy, x, gw, width, add):
    """gw = x^T gy, or gw += with `add` 1: gy (N, >= K), x (N, D), gw (D, >= K), of which K = `width` columns count."""
    n, depth = x.shape
    gemm(_NO, _YES, width, depth, n, gy, gy.shape[1], x, depth, add, gw, gw.shape[1])
