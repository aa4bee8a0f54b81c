"""A double of cuBLAS's functions that follows their definition, on host memory."""

import ctypes
from types import SimpleNamespace

import numpy as np

from bnrenorm.engines.cuda.pixels import numbers


class Array(np.ndarray):
    """Host memory with the address that CuPy's arrays have."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)


def matrix(address, rows, columns, leading, dtype):
    """Return the column-major matrix (rows, columns) at an address, columns of which are `leading` apart."""
    assert leading >= rows
    size = (leading * (columns - 1) + rows) * dtype.itemsize
    numbers = np.frombuffer((ctypes.c_char * size).from_address(address), dtype)
    return np.lib.stride_tricks.as_strided(numbers, (rows, columns), (dtype.itemsize, leading * dtype.itemsize))


class Library:
    """cuBLAS for one dtype: C = alpha op(A) op(B) + beta C, with op(A) (m, k), op(B) (k, n) and C (m, n)."""

    def __init__(self, dtype):
        self.dtype, self.calls, self.mode = np.dtype(dtype), [], 5
        letter = "d" if self.dtype == np.float64 else "s"
        functions = {"gemm": self.one, "gemmStridedBatched": self.strided, "gemmBatched": self.batched}
        vars(self).update({f"{letter}{name}": function for name, function in functions.items()})
        other = "s" if letter == "d" else "d"
        vars(self).update(dict.fromkeys((f"{other}{name}" for name in functions), None))

    def one(self, handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        assert handle == 42
        self.calls.append("gemm")
        self.compute(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)

    def strided(
        self, handle, ta, tb, m, n, k, alpha, a, lda, a_stride, b, ldb, b_stride, beta, c, ldc, c_stride, count
    ):
        self.calls.append("strided")
        for i in range(count):
            at = (x + i * stride * self.dtype.itemsize for x, stride in ((a, a_stride), (b, b_stride), (c, c_stride)))
            a_at, b_at, c_at = at
            self.compute(ta, tb, m, n, k, alpha, a_at, lda, b_at, ldb, beta, c_at, ldc)

    def batched(self, handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count):
        self.calls.append("batched")
        tables = [np.ctypeslib.as_array((ctypes.c_uint64 * count).from_address(address)) for address in (a, b, c)]
        for a_at, b_at, c_at in zip(*map(np.ndarray.tolist, tables), strict=True):
            self.compute(ta, tb, m, n, k, alpha, a_at, lda, b_at, ldb, beta, c_at, ldc)

    def gemmStridedBatchedEx(self, handle, ta, tb, m, n, k, alpha, a, a_type, lda, a_stride, b, b_type, ldb, b_stride, beta,
                             c, c_type, ldc, c_stride, count, compute, algorithm):  # fmt: skip
        """Operands of bfloat16 (14), sums and results of float32 (68, 0); by any algorithm."""
        assert (handle, a_type, b_type, c_type, compute, algorithm) == (42, 14, 14, 0, 68, -1)
        assert lda % 8 == ldb % 8 == 0
        self.calls.append(("mixed", count))
        alpha, beta = (np.frombuffer((ctypes.c_char * 4).from_address(at), np.float32)[0] for at in (alpha, beta))
        for i in range(count):
            places = a + 2 * i * a_stride, b + 2 * i * b_stride
            operands = self.operands(ta, tb, m, n, k, places[0], lda, places[1], ldb, np.dtype(np.uint16))
            left, right = (numbers(np.ascontiguousarray(bits)).astype(np.float64) for bits in operands)
            out = matrix(c + 4 * i * c_stride, m, n, ldc, np.dtype(np.float32))
            out[...] = alpha * (left @ right) + (beta * out if beta else 0)

    def operands(self, ta, tb, m, n, k, a, lda, b, ldb, dtype):
        a = matrix(a, k, m, lda, dtype).T if ta else matrix(a, m, k, lda, dtype)
        b = matrix(b, n, k, ldb, dtype).T if tb else matrix(b, k, n, ldb, dtype)
        return a, b

    def compute(self, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        a, b = self.operands(ta, tb, m, n, k, a, lda, b, ldb, self.dtype)
        alpha, beta = (matrix(address, 1, 1, 1, self.dtype)[0, 0] for address in (alpha, beta))
        c = matrix(c, m, n, ldc, self.dtype)
        c[...] = alpha * (a @ b) + (beta * c if beta else 0)  # with beta 0, C, which may be NaN, is not read

    def getMathMode(self, handle):
        return self.mode

    def setMathMode(self, handle, mode):
        self.calls.append(mode)
        self.mode = mode
