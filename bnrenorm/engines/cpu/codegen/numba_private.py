"""Everything that bnrenorm uses of numba and that numba does not document. No other file imports such a part.

A new numba may rename any of it. `codegen.probe` therefore runs a kernel that needs all of this before a run relies on
it, and where that fails the Chainer engine trains (`engines.cpu.support`).
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llvmlite import binding
from numba import types
from numba.core import cgutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import AnnotateTypes
from numba.np.arrayobj import populate_array

__all__ = [
    "KERNEL_OPTIONS",
    "SUBROUTINE_OPTIONS",
    "VIEW_OPTIONS",
    "cache_directory",
    "cgutils",
    "populate_array",
    "xxgemm",
]

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

SUBROUTINE_OPTIONS: dict[str, Any] = {
    **KERNEL_OPTIONS,
    "no_cpython_wrapper": True,
    "pipeline_class": _SubroutineCompiler,
}
"""Options of `numba.njit` for functions that only kernels call."""

VIEW_OPTIONS: dict[str, Any] = {**SUBROUTINE_OPTIONS, "_nrt": True}
"""The same for functions that return an array."""


@contextmanager
def cache_directory(folder: Path) -> Iterator[None]:
    """Have functions that are decorated meanwhile cached in this folder; numba has one setting for all packages."""
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
