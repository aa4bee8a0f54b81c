"""How a recording becomes a CUDA graph: by doubles of CuPy and of cuBLAS, which keep a log."""

import ctypes
import re
import sys
import weakref
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from bnrenorm.engines.cuda import cublas, graphs
from bnrenorm.engines.cuda.graphs import Graphs, NotCaptured

HANDLE, BEFORE, CAPTURING, WORKSPACE, WRAPPER = 42, 7, 8, 2**40, "cublas.so"


class Cupy:
    """CuPy's part. `fault` and `full`: what the end of a capture and an upload raise, if anything."""

    def __init__(self, log, capability, fault, full):
        self.log, self.fault, self.full, self.ptr = log, fault, full, CAPTURING
        self.cuda = SimpleNamespace(
            device=SimpleNamespace(get_cublas_handle=lambda: HANDLE),
            cublas=SimpleNamespace(getStream={HANDLE: BEFORE}.get, setStream=self.set_stream, __file__=WRAPPER),
            Device=lambda: SimpleNamespace(compute_capability=capability),
            Stream=self.stream,
        )

    def stream(self, non_blocking):
        assert non_blocking, "else work on the default stream would wait for it, which a capture forbids"
        return self

    def set_stream(self, handle, stream):
        self.log.append(("stream", handle, stream))

    def empty(self, size, dtype):
        self.log.append(("empty", size, dtype))
        return SimpleNamespace(data=SimpleNamespace(ptr=WORKSPACE))

    def __enter__(self):
        self.log.append("enter")

    def __exit__(self, *_):
        self.log.append("leave")

    def begin_capture(self):
        self.log.append("begin")

    def end_capture(self):
        self.log.append("end")
        if self.fault:
            raise self.fault
        return SimpleNamespace(launch=lambda: self.log.append("launch"), upload=self.upload)

    def upload(self):
        self.log.append("upload")
        if self.full:
            raise self.full


class Cublas:
    """cuBLAS, products of which return `status`."""

    def __init__(self, log, status):
        self.log, self.status = log, status

    def __getattr__(self, symbol):
        def function(*arguments):
            self.log.append((symbol, *(value.value for value in arguments)))
            return 0 if "Workspace" in symbol else self.status

        return function


@pytest.fixture
def log_of(monkeypatch):
    """Return a function that sets the doubles, and returns their log."""

    def log_of(capability="90", status=0, fault=None, full=None):
        log = []
        monkeypatch.setitem(sys.modules, "cupy", Cupy(log, capability, fault, full))
        monkeypatch.setattr(ctypes, "CDLL", {WRAPPER: Cublas(log, status)}.__getitem__)
        return log

    return log_of


def sgemm(*arguments):
    raise AssertionError("CuPy's wrapper, which refuses to be captured, is not to be called")


def sgemmStridedBatched(*arguments):
    sgemm(*arguments)


PRODUCT = (HANDLE, 0, 1, 5, 6, 7, 100, 200, 8, 300, 9, 400, 500, 10)


@pytest.mark.parametrize(("capability", "size"), [("75", 2**22), ("89", 2**22), ("90", 2**25), ("120", 2**25)])
def test_kernels_and_products_are_captured_in_their_order(log_of, capability, size):
    log = log_of(capability)
    made = Graphs()
    launch = made.captured(
        [partial(log.append, "kernel"), partial(sgemm, *PRODUCT[1:]), partial(log.append, "another")]
    )
    assert log == [
        ("empty", size, "uint8"), ("stream", HANDLE, CAPTURING), ("cublasSetWorkspace_v2", HANDLE, WORKSPACE, size),
        "enter", "begin", "kernel", ("cublasSgemm_v2", *PRODUCT), "another", "end", "leave", ("stream", HANDLE, BEFORE),
        "upload",
    ]  # fmt: skip
    del log[:]
    launch()
    launch()
    assert log == ["launch", "launch"]
    made.captured([])
    assert ("empty", size, "uint8") not in log


def test_a_repeated_product_takes_the_handle_of_its_thread(monkeypatch):
    handles, seen = iter((3, 5)), []
    monkeypatch.setattr(cublas, "handle_of_thread", lambda: next(handles))
    call = cublas._by_handle(lambda *arguments: seen.append(arguments))
    for _ in range(2):
        call(0, 1)
    assert seen == [(3, 0, 1), (5, 0, 1)]
    assert cublas._by_handle(sgemm).__name__ == "sgemm"  # by which a graph knows what to ask of cuBLAS


def refuses():
    raise RuntimeError("cudaErrorStreamCaptureUnsupported")


@pytest.mark.parametrize(
    ("options", "calls", "message"),
    [
        ({"status": 13}, [partial(sgemm, *PRODUCT[1:])], "RuntimeError: cublasSgemm_v2 returns 13"),
        ({}, [partial(refuses)], "RuntimeError: cudaErrorStreamCaptureUnsupported"),
        ({"fault": RuntimeError("invalidated")}, [], "RuntimeError: invalidated"),
    ],
)
def test_what_fails_ends_the_capture_and_gives_the_stream_back(log_of, options, calls, message):
    log = log_of(**options)
    with pytest.raises(NotCaptured, match=f"^{re.escape(message)}$"):
        Graphs().captured(calls)
    assert log[-3:] == ["end", "leave", ("stream", HANDLE, BEFORE)]


def test_what_does_not_fit_in_memory_is_no_graph(log_of):
    """Before a launch, which may have done a part of a step when it fails."""
    log = log_of(full=MemoryError("full"))
    with pytest.raises(NotCaptured, match="^MemoryError: full$"):
        Graphs().captured([])
    assert "launch" not in log


def test_a_graph_keeps_the_arrays_of_its_calls(log_of):
    """It has their addresses alone."""
    log_of()
    array = np.zeros(1)
    alive = weakref.ref(array)
    launch = Graphs().captured([partial(id, array)])
    del array
    assert alive() is not None
    launch()


def test_addresses_and_distances_of_matrices_have_64_bits(log_of):
    log, place, apart = log_of(), 2**47, 2**33
    product = 0, 1, 5, 6, 7, place, place, 8, apart, place, 9, apart, place, place, 10, apart, 11
    Graphs().captured([partial(sgemmStridedBatched, *product)])
    assert ("cublasSgemmStridedBatched", HANDLE, *product) in log


def test_where_cublas_is_not_to_be_found_there_are_no_graphs(log_of, monkeypatch):
    """Where a library does not give the functions of those that it is linked to, as on Windows."""
    log_of()
    monkeypatch.setattr(ctypes, "CDLL", lambda path: SimpleNamespace())
    with pytest.raises(NotCaptured, match="^AttributeError: .*cublasSetWorkspace_v2"):
        Graphs().captured([])


@pytest.mark.gpu
@pytest.mark.parametrize("name", graphs._SYMBOLS)
def test_types_are_those_that_cupy_documents(name):
    """In the first line of each wrapper's documentation: (intptr_t handle, int transa, ...)."""
    from cupy.cuda import cublas

    kinds = {"intptr_t": "p", "size_t": "p", "int": "i", "long long": "l"}
    words = re.search(r"\((.*)\)", getattr(cublas, name).__doc__)[1].split(", ")
    assert "".join(kinds[word.rpartition(" ")[0]] for word in words) == graphs._SYMBOLS[name][1]
