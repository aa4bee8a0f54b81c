"""A CuPy whose device memory is the host's: it computes with NumPy, and counts what a device is asked for.

It has what the tests use and nothing else; arrays do not become NumPy's by themselves, as CuPy's do not.
"""

import ctypes
from types import SimpleNamespace

import numpy as np


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of the module `cupy`, on a device."""

    def __init__(self, cupy, array, device=0):
        self.cupy, self.array, self.device = cupy, np.asarray(array), device
        self.data = SimpleNamespace(ptr=self.array.ctypes.data)

    shape, ndim, dtype, size = (
        property(lambda self, name=name: getattr(self.array, name)) for name in ("shape", "ndim", "dtype", "size")
    )

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        assert method == "__call__"
        (out,) = options.pop("out", (None,))
        if out is None:
            return self.cupy.wrap(ufunc(*map(plain, inputs), **options))
        ufunc(*map(plain, inputs), out=out.array, **options)
        return out

    def __array__(self, *_, **__):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def __len__(self):
        return len(self.array)

    def __iter__(self):
        return map(self.cupy.wrap, self.array)

    def __getitem__(self, key):
        return self.cupy.wrap(self.array[plain(key)])

    def __getattr__(self, name):
        if name not in ("astype", "clip", "fill", "mean", "reshape", "sum"):
            raise AttributeError(name)
        return lambda *arguments, **options: self.cupy.wrap(getattr(self.array, name)(*arguments, **options))

    def get(self):
        self.cupy.copies_out += 1
        return self.array.copy()


def plain(value):
    return value.array if isinstance(value, Array) else value


class FakeCuPy:
    """The module. `current` is the current device, `calls` the names of the functions that were called."""

    def __init__(self):
        self.copies_in = self.copies_out = self.current = 0
        self.calls = []
        self.cuda = SimpleNamespace(
            device=SimpleNamespace(get_cublas_handle=lambda: 7),
            cublas=SimpleNamespace(
                sgemmStridedBatched=lambda *arguments: self._gemm(np.float32, *arguments),
                dgemmStridedBatched=lambda *arguments: self._gemm(np.float64, *arguments),
            ),
        )

    def wrap(self, array):
        return Array(self, array, self.current)

    def asarray(self, value):
        if not isinstance(value, Array):
            self.copies_in += 1
            value = self.wrap(np.array(value))
        return value

    def ascontiguousarray(self, value):
        return self.wrap(np.ascontiguousarray(value.array))

    def empty(self, shape, dtype):
        return self.wrap(np.full(shape, np.nan, dtype))

    def stack(self, values):
        return self.wrap(np.stack([value.array for value in values]))

    def log(self, value):
        return np.log(value)

    def sign(self, value):
        return np.sign(value)

    def sort(self, values, axis):
        self.calls.append("sort")
        return self.wrap(np.sort(values.array, axis=axis))

    def ReductionKernel(self, inputs, output, term, reduction, last, identity, name, reduce_type):
        assert (inputs, output, reduction, last, identity) == ("T a, T b", "T y", "a + b", "y = a", "0")

        def kernel(a, b, *, axis, keepdims):
            self.calls.append(name)
            a, b = np.broadcast_arrays(a.array, b.array)
            total = eval(term, {"a": a, "b": b}).sum(axis=axis, keepdims=keepdims, dtype=reduce_type)
            return self.wrap(total.astype(a.dtype))

        return kernel

    def _gemm(self, dtype, handle, transa, transb, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc, stride_c, count):  # fmt: skip
        """C = alpha op(A) op(B) + beta C of many matrices, stored by columns. [cuBLAS, gemmStridedBatched]"""
        self.calls.append("gemm")
        assert handle == 7
        for i in range(count):
            left = _columns(dtype, a, lda, stride_a * i, *((k, m) if transa else (m, k)))
            right = _columns(dtype, b, ldb, stride_b * i, *((n, k) if transb else (k, n)))
            result = _columns(dtype, c, ldc, stride_c * i, m, n)
            product = (left.T if transa else left) @ (right.T if transb else right)
            old = _columns(dtype, beta, 1, 0, 1, 1)[0, 0]
            result[...] = _columns(dtype, alpha, 1, 0, 1, 1)[0, 0] * product + (old * result if old else 0)


def _columns(dtype, pointer, leading, offset, rows, columns):
    """Return the matrix (rows, columns) that lies at a pointer, column after column, `leading` elements apart."""
    assert leading >= rows
    size = np.dtype(dtype).itemsize
    length = leading * (columns - 1) + rows
    memory = (ctypes.c_char * (size * length)).from_address(pointer + size * offset)
    flat = np.frombuffer(memory, dtype)
    return np.lib.stride_tricks.as_strided(flat, (rows, columns), (size, size * leading), writeable=True)
