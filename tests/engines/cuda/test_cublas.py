"""Which products are asked of cuBLAS: by a double of its functions that follows their definition, on host memory."""

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cuda import cublas
from bnrenorm.engines.cuda.cublas import Products, math_mode
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.errors import InputError

R, N, D, K = 3, 5, 7, 4
SEEDS = np.array([1, 0, 1], np.int32)


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

    def compute(self, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        a = matrix(a, k, m, lda, self.dtype).T if ta else matrix(a, m, k, lda, self.dtype)
        b = matrix(b, n, k, ldb, self.dtype).T if tb else matrix(b, k, n, ldb, self.dtype)
        alpha, beta = (matrix(address, 1, 1, 1, self.dtype)[0, 0] for address in (alpha, beta))
        c = matrix(c, m, n, ldc, self.dtype)
        c[...] = alpha * (a @ b) + (beta * c if beta else 0)  # with beta 0, C, which may be NaN, is not read

    def getMathMode(self, handle):
        return self.mode

    def setMathMode(self, handle, mode):
        self.calls.append(mode)
        self.mode = mode


@pytest.fixture(params=[np.float32, np.float64])
def library(request, monkeypatch):
    """A CuPy on host memory, with that cuBLAS."""
    double = Library(request.param)
    module = SimpleNamespace(
        cuda=SimpleNamespace(cublas=double, device=SimpleNamespace(get_cublas_handle=lambda: 42)),
        arange=lambda count: np.arange(count).view(Array),
        uint64=np.uint64,
        __version__="14.2.0",
    )
    monkeypatch.setitem(sys.modules, "cupy", module)
    return double


def draw(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype).view(Array)


CASES = {
    "forward": ((R, N, D), (R, K, D), {"tb": True}, False),
    "forward, shared images": ((N, D), (R, K, D), {"tb": True}, False),
    "forward, images of seeds": ((2, N, D), (R, K, D), {"tb": True}, True),
    "forward, images of seeds without a transpose": ((2, N, D), (R, D, K), {}, True),
    "gradient of weights": ((R, N, K), (R, N, D), {"ta": True}, False),
    "gradient of weights, shared images": ((R, N, K), (N, D), {"ta": True}, False),
    "gradient of weights, images of seeds": ((R, N, K), (2, N, D), {"ta": True}, True),
    "backward": ((R, N, K), (R, K, D), {}, False),
    "one image": ((R, 1, D), (R, K, D), {"tb": True}, False),
    "one replica": ((1, N, D), (1, K, D), {"tb": True}, False),
    "one node": ((R, N, 1), (R, 1, D), {}, False),
}


@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_products_are_those_of_rows(library, rng, monkeypatch, name, subtract, one_at_a_time):
    """Large ones are taken a replica at a time, but for images of seeds, whose matrices lie anywhere."""
    if one_at_a_time:
        monkeypatch.setattr(cublas, "_LARGE", 0)
    a_shape, b_shape, options, by_seed = CASES[name]
    a, b = draw(rng, library.dtype, *a_shape), draw(rng, library.dtype, *b_shape)
    replicas = 1 if name == "one replica" else R
    m, n = a_shape[-1] if "ta" in options else a_shape[-2], b_shape[-2] if "tb" in options else b_shape[-1]
    before = rng.normal(size=(replicas, m, n)) if subtract else np.full((replicas, m, n), np.nan)
    got, want = (before.astype(library.dtype).view(Array) for _ in range(2))
    of = SEEDS.view(Array) if by_seed else None
    Reference().product(
        *(np.asarray(x) for x in (a, b, want)), of=SEEDS if by_seed else None, subtract=subtract, **options
    )
    options = {"ta": False, "tb": False, "subtract": subtract, **options}
    Products(library.dtype)(a, b, got, of=of, **options)
    assert_allclose(got, want, rtol=1e-4 if library.dtype == np.float32 else 1e-12, atol=1e-6)
    assert library.calls == (["batched"] if by_seed else ["gemm"] * replicas if one_at_a_time else ["strided"])


def test_what_is_large_is_counted_for_one_replica(library, rng, monkeypatch):
    """So that its product is computed the same way, whatever the number of replicas."""
    for limit, want in ((N * D * K, ["gemm"] * R), (N * D * K + 1, ["strided"])):
        monkeypatch.setattr(cublas, "_LARGE", limit)
        a, b, out = (draw(rng, library.dtype, *shape) for shape in ((R, N, D), (R, K, D), (R, N, K)))
        library.calls.clear()
        Products(library.dtype)(a, b, out, ta=False, tb=True, of=None)
        assert library.calls == want


def test_tables_of_addresses_are_kept_for_the_arrays_they_are_of(library, rng):
    products, seeds, others = Products(library.dtype), SEEDS.view(Array), np.zeros(R, np.int32).view(Array)
    weight, out = draw(rng, library.dtype, R, K, D), draw(rng, library.dtype, R, N, K)
    x, another = (draw(rng, library.dtype, 2, N, D) for _ in range(2))
    for images, of in ((x, seeds), (another, seeds), (x, others), (x, seeds)):
        products(images, weight, out, ta=False, tb=True, of=of)
        want = np.matmul(np.asarray(images)[np.asarray(of)], np.asarray(weight).swapaxes(1, 2))
        assert_allclose(out, want, rtol=1e-3, atol=1e-5)
    assert len(products.pointers) == 5  # weight, out, and images by seeds: three pairs


@pytest.mark.parametrize("name", ["gemmStridedBatched", "gemmBatched", "gemm"])
def test_another_cupy_is_refused_in_one_line(library, name):
    letter = "d" if library.dtype == np.float64 else "s"
    delattr(library, letter + name)
    want = f"CuPy 14.2.0 lacks {letter}{name}, which the CUDA engine needs; use --engine chainer"
    with pytest.raises(InputError, match=want):
        Products(library.dtype)


@pytest.mark.parametrize(("tf32", "mode"), [(True, 3), (False, 0)])
def test_the_math_mode_is_as_it_was_afterwards(library, tf32, mode):
    with math_mode(tf32):
        assert library.mode == mode
    assert library.mode == 5

    def fail_within():
        with math_mode(tf32):
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    assert library.mode == 5
    assert library.calls == [mode, 5] * 2
