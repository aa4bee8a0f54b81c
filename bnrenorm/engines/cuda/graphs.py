"""A recorded step as a CUDA graph, which the host launches by one call.

CuPy captures kernels, but refuses to call cuBLAS meanwhile (its issue 6290): captured products are asked of the library
itself, which is found among those that CuPy's wrapper is linked to: another one, PyTorch's say, may be loaded as well.
The only file that does so.
"""

import ctypes
import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from bnrenorm.engines.cuda.cublas import handle_of_thread
from bnrenorm.errors import one_line

_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int, "l": ctypes.c_longlong}
_BEGIN = "piiiiip"  # handle, transposes, m, n, k, alpha
_GEMM, _BATCHED = f"{_BEGIN}pipippi", f"{_BEGIN}pipippii"
_STRIDED, _MIXED = f"{_BEGIN}pilpilppili", f"{_BEGIN}piilpiilppiiliii"
_SYMBOLS = {
    "sgemm": ("cublasSgemm_v2", _GEMM),
    "dgemm": ("cublasDgemm_v2", _GEMM),
    "sgemmBatched": ("cublasSgemmBatched", _BATCHED),
    "dgemmBatched": ("cublasDgemmBatched", _BATCHED),
    "sgemmStridedBatched": ("cublasSgemmStridedBatched", _STRIDED),
    "dgemmStridedBatched": ("cublasDgemmStridedBatched", _STRIDED),
    "gemmStridedBatchedEx": ("cublasGemmStridedBatchedEx", _MIXED),
}
"""CuPy's wrappers, what they call, and the types of the arguments: pointers, integers of 32 and of 64 bits."""

_WORKSPACE, WORKSPACE_90 = 2**22, 2**25
"""Bytes that cuBLAS takes by default, the second since compute capability 9.0: given as many it computes the same."""


class NotCaptured(Exception):
    """These calls do not become a graph here; the message says why."""


class Graphs:
    """Makes graphs on the current device. One runs at a time: cuBLAS works in the same memory in all of them."""

    def __init__(self):
        self.cupy: Any = importlib.import_module("cupy")
        self.workspace: Any = None

    def captured(self, calls: list[partial[Any]]) -> Callable[[], None]:
        """Return what launches the calls of a `tape.Tape` as a graph, on the current stream.

        Raises NotCaptured.
        """
        cuda = self.cupy.cuda
        try:
            blas, handle = ctypes.CDLL(cuda.cublas.__file__), handle_of_thread()
            direct = [_direct(blas, handle, call) for call in calls]
            size = WORKSPACE_90 if int(cuda.Device().compute_capability) >= 90 else _WORKSPACE
            if self.workspace is None:
                self.workspace = self.cupy.empty(size, "uint8")
            stream, before = cuda.Stream(non_blocking=True), cuda.cublas.getStream(handle)
            cuda.cublas.setStream(handle, stream.ptr)
            try:
                _checked(blas, "cublasSetWorkspace_v2", "ppl", handle, self.workspace.data.ptr, size)
                with stream:
                    graph = _graph(stream, direct)
            finally:
                cuda.cublas.setStream(handle, before)  # which takes the workspace away, too
            graph.upload()  # else the first launch takes its memory: a launch that failed may not be made again
        except Exception as error:  # of CuPy, CUDA or the system
            raise NotCaptured(one_line(error)) from error

        def launch(kept: Any = calls) -> None:  # the graph has no more than the addresses of their arrays
            graph.launch()

        return launch


def _graph(stream: Any, calls: list[Callable[[], Any]]) -> Any:
    stream.begin_capture()
    try:
        for call in calls:
            call()
    finally:
        graph = stream.end_capture()
    return graph


def _direct(blas: Any, handle: int, call: partial[Any]) -> partial[Any]:
    """Return a call with cuBLAS's own function for CuPy's wrapper of it; every other call as it is."""
    name = getattr(call.func, "__name__", "")
    return partial(_checked, blas, *_SYMBOLS[name], handle, *call.args) if name in _SYMBOLS else call


def _checked(blas: Any, symbol: str, types: str, *arguments: Any) -> None:
    """Call a function of cuBLAS; raise RuntimeError if it fails."""
    status = getattr(blas, symbol)(*(_TYPES[kind](value) for kind, value in zip(types, arguments, strict=True)))
    if status:
        raise RuntimeError(f"{symbol} returns {status}")
