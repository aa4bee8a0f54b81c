"""Everything that bnrenorm uses of numba and that numba does not document. No other file imports such a part.

A new numba may rename any of it. `codegen.probe` therefore runs a kernel that needs all of this before a run relies on
it, and where that fails the Chainer engine trains (`engines.cpu.support`).
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding
from numba import types
from numba.core import cgutils
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import AnnotateTypes
from numba.np.arrayobj import populate_array

__all__ = ["cgutils", "populate_array"]

_ENVIRONMENT = "_ZN08NumbaEnv"  # prefix of the global variables that numba sets for each compiled function


class _SubroutineLibrary(JITCodeLibrary):
    """The code of a subroutine, which is neither optimised by itself nor translated to machine code.

    By default numba optimises every function, then its caller with the function inside once more, and so on up to the
    kernel, which takes half as long again. Only the kernel's machine code is ever run.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        """Emit no machine code, or later kernels of this process would link the unoptimised version.

        Only the function's environment variables are emitted, because numba sets them.
        """
        module = self._final_module
        self._finalized = True
        self._get_module_for_linking()
        variables = (str(variable) for variable in module.global_variables if variable.name.startswith(_ENVIRONMENT))
        self._final_module = binding.parse_assembly("\n".join(variables))
        super()._finalize_final_module()


@register_pass(mutates_CFG=False, analysis_only=True)
class _UseSubroutineLibrary(AnalysisPass):
    """Have the next pass, which generates code, write to a `_SubroutineLibrary`."""

    _name = "use_subroutine_library"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _SubroutineLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


class _SubroutineCompiler(CompilerBase):
    """numba's own compiler, with a `_SubroutineLibrary` for the code."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_UseSubroutineLibrary, AnnotateTypes)
        passes.finalize()
        return [passes]


# `_nrt` off: references to arrays are not counted. Kernels create none, and counting took a tenth of a step.
KERNEL_OPTIONS: dict[str, Any] = {"_nrt": False, "no_cfunc_wrapper": True}
"""Options of `numba.njit` for functions that Python calls."""

_OWN: dict[str, Any] = {"no_cpython_wrapper": True, "pipeline_class": _SubroutineCompiler}
SUBROUTINE_OPTIONS: dict[str, Any] = {**KERNEL_OPTIONS, **_OWN}
"""Options of `numba.njit` for functions that only kernels call."""

VIEW_OPTIONS: dict[str, Any] = {**SUBROUTINE_OPTIONS, "_nrt": True}
"""The same for functions that return an array."""


class _Cache(FunctionCache):
    """numba's cache of a function, which may be damaged, or on a full disk: then the function is compiled, no more."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # files that were cut raise almost anything
            with suppress(OSError):
                self.flush()  # else `save_overload` would read the damaged index
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(Exception):
            super().save_overload(sig, data)


def keep_on_disk(dispatcher: Any, folder: Path) -> None:
    """Have a function that is to be compiled cached in this folder, if its place there can be written."""
    with _cache_directory(folder), suppress(RuntimeError):
        dispatcher._cache = _Cache(dispatcher.py_func)


def environment() -> str:
    """Return what machine code depends on besides its source: Python, numba, the processor, and Intel's libsvml.so.

    That is used if somebody has imported numba before, or wants it: code that calls it ends a process that lacks it.
    """
    processor = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    svml = getattr(importlib.import_module("numba.core.config"), "USING_SVML", False)
    return f"{sys.implementation.cache_tag} {numba.__version__} {binding.llvm_version_info} {processor} {svml}"


@contextmanager
def _cache_directory(folder: Path) -> Iterator[None]:
    """Set the folder of caches that are made meanwhile; numba has one setting for all packages."""
    config: Any = importlib.import_module("numba.core.config")
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def xxgemm(dtype: Any) -> Any:
    """Return SciPy's BLAS product as np.dot calls it, for arrays of a numba float type; to be called from kernels.

    Arguments: "s" or "d" for the dtype, transpose flags of a and b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc; the
    letters as integers, alpha and beta and the arrays as pointers.
    """
    pointer, integer, letter = types.CPointer(dtype), types.intp, types.char
    signature = types.intc(
        letter, letter, letter, integer, integer, integer, pointer, pointer, integer, pointer, integer, pointer,
        pointer, integer,
    )  # fmt: skip
    return types.ExternalFunction("numba_xxgemm", signature)
