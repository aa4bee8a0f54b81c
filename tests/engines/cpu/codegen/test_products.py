"""Products of few rows to the last bit: the order of their sums is that of the oracle, on every processor.

Values have so few bits that products are exact, with which it makes no difference whether they are fused with sums.
"""

import functools
import importlib.util

import numpy as np
import pytest
from llvmlite import binding

from bnrenorm.engines.cpu.codegen import products
from bnrenorm.engines.cpu.codegen.decorators import strict_subroutine
from bnrenorm.engines.cpu.codegen.simd import Vectors
from tests.engines.cpu.entry import entries, entry

TYPES = {np.float32: (np.float16, 16), np.float64: (np.float32, 8)}  # with half of the bits, and lanes of 512 bits
SIZES = [(1, 1, 1), (2, 10, 100), (3, 2, 15), (4, 3, 16), (5, 7, 101), (9, 12, 400)]  # N, K, D
REGISTERS = [256, 512] if binding.get_host_cpu_features().get("avx512f") else [256]


@pytest.fixture(params=REGISTERS, scope="module")
def inner(request):
    """The products, compiled for registers of 256 or 512 bits, from a copy of their module."""
    spec = importlib.util.spec_from_file_location("products_copy", products.__file__)
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    copy.DOTS, copy.REGISTERS_OF_FOUR = (4, 5) if request.param == 512 else (1, 2)
    copy.Vectors = lambda builder, real, bits=request.param: Vectors(builder, real, bits)
    functions = entries(copy)
    functions.at_a_time = copy.DOTS
    return functions


def exact(rng, shape, dtype):
    return rng.normal(size=shape).astype(TYPES[dtype][0]).astype(dtype)


def one_after_another(terms):
    return functools.reduce(np.add, terms, np.zeros_like(terms[0]))


def by_lanes(terms, lanes):
    """Add up every `lanes`-th term, then neighbours of these sums, neighbouring pairs, and so on."""
    sums = [one_after_another(terms[k::lanes]) if k < len(terms) else np.zeros_like(terms[0]) for k in range(lanes)]
    while len(sums) > 1:
        sums = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)]
    return sums[0]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("n", "width", "depth"), SIZES)
def test_dots(inner, rng, n, width, depth, dtype):
    x, w, y = exact(rng, (n, depth), dtype), exact(rng, (width, depth), dtype), np.full((n + 1, width), 7, dtype)
    for k in range(0, width, 4):
        for i in range(0, n, inner.at_a_time):
            inner.dots(x, i, w, k, y[:n])
    for i in range(n):
        for k in range(width):
            assert y[i, k] == by_lanes(x[i] * w[k], TYPES[dtype][1])
    assert (y[n] == 7).all()


@pytest.mark.parametrize("by_term", [True, False])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("n", "terms", "width"), SIZES)
def test_weigh_rows(inner, rng, n, terms, width, dtype, by_term):
    factors, table = exact(rng, (n, terms), dtype), exact(rng, (terms, width), dtype)
    out = np.full((n + 1, width), 7, dtype)
    given, steps = (np.ascontiguousarray(factors.T), (1, n)) if by_term else (factors, (terms, 1))
    for i in range(0, n, 4):
        inner.weigh_rows(given, *steps, table, out[:n], i)
    for i in range(n):
        assert (out[i] == one_after_another(factors[i, :, None] * table)).all()
    assert (out[n] == 7).all()


def test_what_lies_beyond_a_row_is_not_read(inner):
    """Not even times 0, which would be NaN for an infinity there."""
    x, w, y = np.ones((2, 5), np.float32), np.ones((4, 5), np.float32), np.empty((1, 4), np.float32)
    x[1] = np.inf
    inner.dots(x[:1], 0, w, 0, y)
    assert (y == 5).all()
    out = np.empty((1, 5), np.float32)
    inner.weigh_rows(np.ones(1, np.float32), 1, 1, x[:1], out, 0)
    assert (out == 1).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("length", [1, 7, 16, 33, 400])
def test_dot_and_row_sum(inner, rng, length, dtype):
    a, b = exact(rng, length, dtype), exact(rng, length, dtype)
    assert inner.dot(a, b) == by_lanes(a * b, TYPES[dtype][1])
    assert inner.row_sum(a) == by_lanes(a, TYPES[dtype][1])


@strict_subroutine
def _of_two_products(a, b, c, d):
    return products.multiply_add(a, b, c * d)


@pytest.mark.skipif(not binding.get_host_cpu_features().get("fma", True), reason="the processor rounds every product")
def test_the_first_product_of_a_sum_is_not_rounded():
    more, less = np.float32(1 + 2**-12), np.float32(-1)
    square = more * more  # of 1 + 2**-11 + 2**-24, whose last part is lost
    assert entry(_of_two_products)(more, more, square, less) == 2**-24
    assert entry(_of_two_products)(square, less, more, more) == 0
