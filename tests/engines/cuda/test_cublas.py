"""Which products are asked of cuBLAS: by a double of its functions that follows their definition, on host memory."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cuda import cublas
from bnrenorm.engines.cuda.cublas import Products, math_mode
from bnrenorm.engines.cuda.pixels import PARTS, padded, repeated
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.cuda.tape import Tape
from bnrenorm.errors import InputError
from tests.engines.cuda.fake_cublas import Array, Library

R, N, D, K = 3, 5, 7, 4
SEEDS = np.array([1, 0, 1], np.int32)


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
    Products(library.dtype, Tape())(a, b, got, of=of, **options)
    assert_allclose(got, want, rtol=1e-4 if library.dtype == np.float32 else 1e-12, atol=1e-6)
    assert library.calls == (["batched"] if by_seed else ["gemm"] * replicas if one_at_a_time else ["strided"])


def test_what_is_large_is_counted_for_one_replica(library, rng, monkeypatch):
    """So that its product is computed the same way, whatever the number of replicas."""
    for limit, want in ((N * D * K, ["gemm"] * R), (N * D * K + 1, ["strided"])):
        monkeypatch.setattr(cublas, "_LARGE", limit)
        a, b, out = (draw(rng, library.dtype, *shape) for shape in ((R, N, D), (R, K, D), (R, N, K)))
        library.calls.clear()
        Products(library.dtype, Tape())(a, b, out, ta=False, tb=True, of=None)
        assert library.calls == want


def test_tables_of_addresses_are_kept_for_the_arrays_they_are_of(library, rng):
    products, seeds, others = Products(library.dtype, Tape()), SEEDS.view(Array), np.zeros(R, np.int32).view(Array)
    weight, out = draw(rng, library.dtype, R, K, D), draw(rng, library.dtype, R, N, K)
    x, another = (draw(rng, library.dtype, 2, N, D) for _ in range(2))
    for images, of in ((x, seeds), (another, seeds), (x, others), (x, seeds)):
        products(images, weight, out, ta=False, tb=True, of=of)
        want = np.matmul(np.asarray(images)[np.asarray(of)], np.asarray(weight).swapaxes(1, 2))
        assert_allclose(out, want, rtol=1e-3, atol=1e-5)
    assert len(products.pointers) == 5  # weight, out, and images by seeds: three pairs


def test_an_array_at_the_place_of_another_has_its_own_table_of_addresses(library, rng):
    """Memory is used again: for fewer images, or for fewer replicas."""
    products, memory = Products(library.dtype, Tape()), draw(rng, library.dtype, 2 * N * D)
    for replicas, n in ((R, N), (R, N - 2), (R - 1, N - 2)):
        x, of = memory[: 2 * n * D].reshape(2, n, D), SEEDS[:replicas].view(Array)
        weight, out = draw(rng, library.dtype, replicas, K, D), draw(rng, library.dtype, replicas, n, K)
        products(x, weight, out, ta=False, tb=True, of=of)
        assert_allclose(out, np.matmul(np.asarray(x)[of], np.asarray(weight).swapaxes(1, 2)), rtol=1e-3, atol=1e-5)
        tables = [table for (at, *_), table in products.pointers.items() if at == x.data.ptr]
        assert len(tables[-1]) == replicas


def of_bytes(rng, *shape):
    return (rng.integers(0, 256, shape) / 255).astype(np.float32)


def thirds(array):
    parts = np.full((*array.shape[:-1], PARTS, padded(array.shape[-1])), 0x7FFF, np.uint16)  # NaN
    Reference().split(array, parts)
    return parts


RUNS = {
    "shared": (1, [(0, 0, slice(0, 3))]),
    "two seeds": (2, [(1, 0, slice(0, 2)), (0, 0, slice(2, 3))]),
    "seeds in order": (2, [(0, 1, slice(0, 2)), (0, 0, slice(2, 3))]),
}


def images_and_runs(rng, runs, n):
    """Return images (S, N, D), their pixels for tensor cores, the runs, and each replica's seed."""
    seeds, runs = RUNS[runs]
    x = of_bytes(rng, seeds, n, D)
    seed_of = [seed + i * step for seed, step, replicas in runs for i in range(replicas.stop - replicas.start)]
    return x, repeated(np, x.reshape(-1, D)).reshape(seeds, n, PARTS, -1).view(Array), runs, seed_of


@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize("runs", RUNS)
def test_products_of_pixels_are_those_of_images(library, rng, monkeypatch, runs, one_at_a_time):
    """In one call for a run, but large ones a replica at a time."""
    if one_at_a_time:
        monkeypatch.setattr(cublas, "_MANY", 0)
    images, x, runs, seed_of = images_and_runs(rng, runs, N)
    w, out = rng.normal(size=(R, K, D)).astype(np.float32), np.full((R, N, K), np.nan, np.float32).view(Array)
    Products(np.float32 if library.dtype == np.float32 else np.float64, Tape()).pixel_product(
        x, thirds(w).view(Array), runs, out
    )
    assert_allclose(out, images[seed_of].astype(float) @ w.swapaxes(1, 2), rtol=1e-5, atol=1e-6)
    counts = [1] * R if one_at_a_time else [replicas.stop - replicas.start for *_, replicas in runs]
    assert library.calls == [("mixed", count) for count in counts]


@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize(("n", "pieces", "counts"), [(5, 1, None), (12, 3, [3]), (13, 3, [2, 1]), (9, 5, [4, 1])])
@pytest.mark.parametrize("runs", RUNS)
def test_gradients_by_pixels_are_those_by_images(library, rng, monkeypatch, runs, n, pieces, counts, one_at_a_time):
    """As many sums as pieces, in one or two calls for a replica; where there is one, in one call for a run of small ones.

    Three times as many: one for each third, the smallest first.
    """
    if one_at_a_time:
        monkeypatch.setattr(cublas, "_MANY", 0)
        counts = counts or [1]
    images, x, runs, seed_of = images_and_runs(rng, runs, n)
    g, out = rng.normal(size=(R, n, K)).astype(np.float32), np.full((R, pieces, K, D), np.nan, np.float32).view(Array)
    Products(library.dtype, Tape()).pixel_gradient(thirds(g).view(Array), x, runs, out)
    want = np.empty(out.shape)
    Reference().gradient(g.astype(float), images[seed_of].astype(float), want)
    assert_allclose(out, want, rtol=1e-5, atol=1e-5)
    of_runs = [replicas.stop - replicas.start for *_, replicas in runs]
    calls = of_runs if counts is None else counts * R
    assert library.calls == [("mixed", count) for count in calls for _ in range(3)]


@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize(("n", "pieces", "calls"), [(5, 1, 1), (12, 3, 3), (13, 3, 6)])
@pytest.mark.parametrize("shared", [True, False])
def test_gradients_are_sums_over_pieces(library, rng, monkeypatch, shared, n, pieces, calls, one_at_a_time):
    if one_at_a_time:
        monkeypatch.setattr(cublas, "_LARGE", 0)
        calls = max(calls, R)
    g, x = draw(rng, library.dtype, R, n, K), draw(rng, library.dtype, *(() if shared else (R,)), n, D)
    got, want = (np.full((R, pieces, K, D), np.nan, library.dtype).view(Array) for _ in range(2))
    Reference().gradient(*(np.asarray(array) for array in (g, x, want)))
    assert_allclose(want.sum(axis=1), np.asarray(g).swapaxes(1, 2) @ np.asarray(x), rtol=1e-4, atol=1e-5)
    Products(library.dtype, Tape()).gradient(g, x, got)
    assert_allclose(got, want, rtol=1e-4 if library.dtype == np.float32 else 1e-12, atol=1e-6)
    assert library.calls == ["strided"] * calls


@pytest.mark.parametrize("name", ["gemmStridedBatched", "gemmBatched", "gemm", "gemmStridedBatchedEx"])
def test_another_cupy_is_refused_in_one_line(library, monkeypatch, name):
    letter = ("d" if library.dtype == np.float64 else "s") * (not name.endswith("Ex"))
    monkeypatch.delattr(type(library) if name.endswith("Ex") else library, letter + name)
    want = f"CuPy 14.2.0 lacks {letter}{name}, which the CUDA engine needs; use --device cpu"
    with pytest.raises(InputError, match=want):
        Products(library.dtype, Tape())


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
