"""Batched products by cuBLAS, by CuPy's wrappers of it, which CuPy does not document.

CuPy's own matmul copies operands that are not contiguous and has no operand shared by seeds.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from bnrenorm.engines.cuda.pixels import PARTS, Run
from bnrenorm.engines.cuda.rows import piece_length
from bnrenorm.engines.cuda.tape import Tape
from bnrenorm.errors import InputError

Array = Any

_DEFAULT_MATH, _TF32_MATH = 0, 3  # cublasMath_t, of which CuPy does not have every value
_FLOAT, _BFLOAT16 = 0, 14  # cudaDataType
_SUMS_IN_FLOAT, _ANY_ALGORITHM = 68, -1  # cublasComputeType_t, cublasGemmAlgo_t
_LARGE = 2**30  # multiplications of one replica's product from which cuBLAS takes the replicas one at a time
_MANY = 2**22  # numbers of one replica's product by tensor cores from which it does so


def _cublas() -> Any:
    return importlib.import_module("cupy").cuda.cublas


def handle_of_thread() -> int:
    """Return cuBLAS's handle for the current device and thread; it ends with the thread."""
    return importlib.import_module("cupy").cuda.device.get_cublas_handle()


def _by_handle(function: Callable[..., None]) -> Callable[..., None]:
    """Return one of CuPy's wrappers without its first argument: whichever thread repeats a call has its own handle."""

    @wraps(function)
    def call(*arguments: Any) -> None:
        function(handle_of_thread(), *arguments)

    return call


class Products:
    """Row-major products of stacked matrices of one dtype, float32 or float64; replicas on the first axis.

    Raises InputError if CuPy's wrappers are not as expected.
    """

    def __init__(self, dtype: Any, call: Tape):
        self.call = call
        self.cupy: Any = importlib.import_module("cupy")
        library = _cublas()
        double = np.dtype(dtype) == np.float64
        try:
            self.strided = _by_handle(library.dgemmStridedBatched if double else library.sgemmStridedBatched)
            self.batched = _by_handle(library.dgemmBatched if double else library.sgemmBatched)
            self.plain = _by_handle(library.dgemm if double else library.sgemm)
            self.mixed = _by_handle(library.gemmStridedBatchedEx)
        except AttributeError as error:
            version = self.cupy.__version__
            raise InputError(
                f"CuPy {version} lacks {error.name}, which the CUDA engine needs; use --device cpu"
            ) from error
        self.scalars = np.array([1, 0, -1], dtype)
        self.of_pixels = np.array([1 / 255, 0, 1], np.float32)
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
        if of is not None:
            a_of, b_of = (None, of) if ta else (of, None)
            addresses = [self._addresses(x, replicas, seeds) for x, seeds in ((b, b_of), (a, a_of), (out, None))]
            b_at, a_at, out_at = (array.data.ptr for array in addresses)
            self.call(self.batched, *sizes, alpha, b_at, ldb, a_at, lda, beta, out_at, n, replicas)
            return
        strides = [x.shape[-1] * x.shape[-2] if x.ndim == 3 else 0 for x in (b, a, out)]
        at = [x.data.ptr for x in (b, a, out)]
        if m * n * k < _LARGE:
            operands = at[0], ldb, strides[0], at[1], lda, strides[1]
            self.call(self.strided, *sizes, alpha, *operands, beta, at[2], n, strides[2], replicas)
            return
        for r in range(replicas):
            b_at, a_at, out_at = (x + r * stride * out.itemsize for x, stride in zip(at, strides, strict=True))
            self.call(self.plain, *sizes, alpha, b_at, ldb, a_at, lda, beta, out_at, n)

    def gradient(self, g: Array, x: Array, out: Array) -> None:
        """Do what `reference.Reference.gradient` says, by a product for each piece."""
        replicas, pieces, k, d = out.shape
        n, size, x_rows = g.shape[1], out.itemsize, x.shape[1] if x.ndim == 3 else 0
        length = piece_length(n, pieces)
        one, zero = (self.scalars[i:].ctypes.data for i in range(2))

        def products(r: int, piece: int, rows: int, strides: tuple[int, int, int], count: int) -> None:
            begin = piece * length
            x_at, g_at = x.data.ptr + (r * x_rows + begin) * d * size, g.data.ptr + (r * n + begin) * k * size
            operands = x_at, d, strides[0] * d, g_at, k, strides[1] * k
            out_at = out.data.ptr + (r * pieces + piece) * k * d * size
            result = out_at, d, strides[2] * k * d
            self.call(self.strided, 0, 1, d, k, rows, one, *operands, zero, *result, count)

        if pieces == 1 and n * k * d < _LARGE:
            products(0, 0, n, (x_rows, n, 1), replicas)
            return
        whole, rest = divmod(n, length)
        for r in range(replicas):
            products(r, 0, length, (length, length, 1), whole)
            if rest:
                products(r, whole, rest, (0, 0, 0), 1)

    def pixel_product(self, x: Array, weights: Array, runs: list[Run], out: Array) -> None:
        """Do what `tensor_reference.pixel_product` says."""
        _, n, k = out.shape
        inner = PARTS * x.shape[-1]
        for seed, seed_step, replicas in runs:
            at_once = 1 if n * k >= _MANY else replicas.stop - replicas.start
            for r in range(replicas.start, replicas.stop, at_once):
                place = seed + seed_step * (r - replicas.start)
                w_at, x_at = weights.data.ptr + r * k * inner * 2, x.data.ptr + place * n * inner * 2
                sizes, strides = (1, 0, k, n, inner), (k * inner, seed_step * n * inner, n * k)
                places = w_at, x_at, out.data.ptr + r * n * k * 4
                self._by_tensor_cores(sizes, places, (inner, inner, k), strides, at_once)

    def pixel_gradient(self, gradients: Array, x: Array, runs: list[Run], out: Array) -> None:
        """Do what `tensor_reference.pixel_gradient` says: for each piece the sum of three products, the smallest first.

        Tensor cores cut off what does not fit in a sum; among large numbers they would cut off more.
        """
        _, pieces, k, d = out.shape
        n, pitch, g_pitch = x.shape[1], PARTS * x.shape[-1], PARTS * gradients.shape[-1]
        length = piece_length(n, pieces)

        def products(seed: int, r: int, piece: int, rows: int, strides: tuple[int, int, int], count: int) -> None:
            begin = piece * length
            x_at = x.data.ptr + (seed * n + begin) * pitch * 2
            g_at = gradients.data.ptr + (r * n + begin) * g_pitch * 2
            out_at = out.data.ptr + (r * pieces + piece) * k * d * 4
            apart = strides[0] * pitch, strides[1] * g_pitch, strides[2] * k * d
            for part in range(PARTS):
                places = x_at, g_at + part * gradients.shape[-1] * 2, out_at
                self._by_tensor_cores((0, 1, d, k, rows), places, (pitch, g_pitch, d), apart, count, add=part > 0)

        whole, rest = divmod(n, length)
        for seed, seed_step, replicas in runs:
            if pieces == 1 and k * d < _MANY:
                products(seed, replicas.start, 0, n, (seed_step * n, n, 1), replicas.stop - replicas.start)
                continue
            for r in range(replicas.start, replicas.stop):
                place = seed + seed_step * (r - replicas.start)
                products(place, r, 0, length, (length, length, 1), whole)
                if rest:
                    products(place, r, whole, rest, (0, 0, 0), 1)

    def _by_tensor_cores(
        self, sizes: tuple[int, ...], at: tuple[int, int, int], pitches: tuple[int, int, int],
        strides: tuple[int, int, int], count: int, *, add: bool = False,
    ) -> None:  # fmt: skip
        """Set float32 matrices to 1 / 255 of products of bfloat16 ones, or add that to them.

        sizes: transposes, m, n and k, column-major.
        """
        alpha, beta = (self.of_pixels[i:].ctypes.data for i in (0, 2 if add else 1))
        a, b = ((at[i], _BFLOAT16, pitches[i], strides[i]) for i in range(2))
        c = at[2], _FLOAT, pitches[2], strides[2]
        self.call(self.mixed, *sizes, alpha, *a, *b, beta, *c, count, _SUMS_IN_FLOAT, _ANY_ALGORITHM)

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
    library, handle = _cublas(), handle_of_thread()
    before = library.getMathMode(handle)
    library.setMathMode(handle, _TF32_MATH if tf32 else _DEFAULT_MATH)
    try:
        yield
    finally:
        library.setMathMode(handle, before)
