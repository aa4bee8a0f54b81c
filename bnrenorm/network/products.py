"""Matrix products of stacked replicas, one product per replica."""

import importlib
from typing import Any

import numpy as np

Array = Any


def product(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    """Return the products a[r] b[r] of R replicas, (R, M, N), of arrays of one dtype.

    a is (R, M, K), and (R, K, M) with `transpose_a`; b is (R, K, N), and (R, N, K) with `transpose_b`. Either may lack
    the replica axis: all replicas share it then. On a GPU cuBLAS reads transposed matrices where they lie, and shared
    ones once; CuPy's matmul would copy them for every replica.
    """
    if isinstance(a, np.ndarray):
        return (a.swapaxes(-1, -2) if transpose_a else a) @ (b.swapaxes(-1, -2) if transpose_b else b)
    cupy: Any = importlib.import_module("cupy")
    replicas = len(a) if a.ndim == 3 else len(b)
    a, b = cupy.ascontiguousarray(a), cupy.ascontiguousarray(b)
    (k, m) = a.shape[-2:] if transpose_a else a.shape[:-3:-1]
    n = b.shape[-2] if transpose_b else b.shape[-1]
    c = cupy.empty((replicas, m, n), a.dtype)
    if not (c.size and k):
        c.fill(0)
        return c
    cublas = cupy.cuda.cublas
    gemm = {"f": cublas.sgemmStridedBatched, "d": cublas.dgemmStridedBatched}[a.dtype.char]
    one, zero = np.ones(1, a.dtype), np.zeros(1, a.dtype)
    # cuBLAS stores by columns: what it takes for the transpose of c is the product b^T a^T.
    gemm(
        cupy.cuda.device.get_cublas_handle(), int(transpose_b), int(transpose_a), n, m, k, one.ctypes.data,
        b.data.ptr, b.shape[-1], b.shape[-2] * b.shape[-1] * (b.ndim == 3),
        a.data.ptr, a.shape[-1], a.shape[-2] * a.shape[-1] * (a.ndim == 3),
        zero.ctypes.data, c.data.ptr, n, m * n, replicas,
    )  # fmt: skip
    return c
