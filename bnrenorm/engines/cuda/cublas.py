"""Batched products by cuBLAS. The only file that uses CuPy's wrappers of it, which CuPy does not document.

CuPy's own matmul copies operands that are not contiguous and has no operand shared by seeds.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnrenorm.errors import InputError

Array = Any

_DEFAULT_MATH, _TF32_MATH = 0, 3  # cublasMath_t, of which CuPy does not have every value
_LARGE = 2**30  # multiplications of one replica's product from which cuBLAS takes the replicas one at a time


def _cublas() -> Any:
    return importlib.import_module("cupy").cuda.cublas


class Products:
    """Row-major products of stacked matrices of one dtype, float32 or float64; replicas on the first axis.

    Raises InputError if CuPy's wrappers are not as expected.
    """

    def __init__(self, dtype: Any):
        self.cupy: Any = importlib.import_module("cupy")
        library = _cublas()
        double = np.dtype(dtype) == np.float64
        try:
            self.strided = library.dgemmStridedBatched if double else library.sgemmStridedBatched
            self.batched = library.dgemmBatched if double else library.sgemmBatched
            self.plain = library.dgemm if double else library.sgemm
        except AttributeError as error:
            version = self.cupy.__version__
            raise InputError(
                f"CuPy {version} lacks {error.name}, which the CUDA engine needs; use --engine chainer"
            ) from error
        self.scalars = np.array([1, 0, -1], dtype)
        self.pointers: dict[tuple[int, int, int, int], Array] = {}

    def __call__(
        self, a: Array, b: Array, out: Array, *, ta: bool, tb: bool, of: Array | None, subtract: bool = False
    ) -> None:
        """Do what `reference.Reference.product` says."""
        replicas, m, n = out.shape
        k = a.shape[-2] if ta else a.shape[-1]
        # cuBLAS is column-major: it computes out^T = b^T a^T.
        sizes = int(tb), int(ta), n, m, k
        one, zero, minus_one = (self.scalars[i:].ctypes.data for i in range(3))
        alpha, beta = (minus_one, one) if subtract else (one, zero)
        lda, ldb = a.shape[-1], b.shape[-1]
        handle = self.cupy.cuda.device.get_cublas_handle()
        if of is not None:
            a_of, b_of = (None, of) if ta else (of, None)
            addresses = [self._addresses(x, replicas, seeds) for x, seeds in ((b, b_of), (a, a_of), (out, None))]
            b_at, a_at, out_at = (array.data.ptr for array in addresses)
            self.batched(handle, *sizes, alpha, b_at, ldb, a_at, lda, beta, out_at, n, replicas)
            return
        strides = [x.shape[-1] * x.shape[-2] if x.ndim == 3 else 0 for x in (b, a, out)]
        at = [x.data.ptr for x in (b, a, out)]
        if m * n * k < _LARGE:
            operands = at[0], ldb, strides[0], at[1], lda, strides[1]
            self.strided(handle, *sizes, alpha, *operands, beta, at[2], n, strides[2], replicas)
            return
        for r in range(replicas):
            b_at, a_at, out_at = (x + r * stride * out.itemsize for x, stride in zip(at, strides, strict=True))
            self.plain(handle, *sizes, alpha, b_at, ldb, a_at, lda, beta, out_at, n)

    def _addresses(self, array: Array, replicas: int, seeds: Array | None) -> Array:
        """Return the addresses of each replica's matrix, (R,) uint64 on the device; they are kept."""
        size = array.shape[-1] * array.shape[-2] * array.itemsize
        key = array.data.ptr, size, replicas, 0 if seeds is None else seeds.data.ptr
        if key not in self.pointers:
            cupy = self.cupy
            places = cupy.arange(replicas) if seeds is None else seeds
            self.pointers[key] = array.data.ptr + places.astype(cupy.uint64) * size
        return self.pointers[key]


@contextmanager
def math_mode(tf32: bool) -> Iterator[None]:
    """Context in which cuBLAS may round float32 operands to TF32 on tensor cores, or may not."""
    library, handle = _cublas(), importlib.import_module("cupy").cuda.device.get_cublas_handle()
    before = library.getMathMode(handle)
    library.setMathMode(handle, _TF32_MATH if tf32 else _DEFAULT_MATH)
    try:
        yield
    finally:
        library.setMathMode(handle, before)
