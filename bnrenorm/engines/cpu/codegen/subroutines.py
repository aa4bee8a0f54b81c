"""How parts of kernels are compiled: they are optimised where they end up, in the kernel, and not before as well.

By default numba optimises every function, then what calls it with it inside once more, and so on to the kernel. That
takes half as long again, and the machine's code for the kernel comes out of the last time alone.
"""

from typing import Any

from llvmlite import binding
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import AnnotateTypes

_VARIABLE = "_ZN08NumbaEnv"  # what the names of those begin with that numba sets for each function


class _Part(JITCodeLibrary):
    """The code of a function that is not optimised by itself, and of which no machine's code is made.

    There must be none: kernels that the same process compiles would call it, and not what was optimised for them.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        """Keep the code for kernels to take in; the machine gets its variables alone, which numba wants to set."""
        code = self._final_module
        self._finalized = True
        self._get_module_for_linking()
        variables = (str(each) for each in code.global_variables if each.name.startswith(_VARIABLE))
        self._final_module = binding.parse_assembly("\n".join(variables))
        super()._finalize_final_module()


@register_pass(mutates_CFG=False, analysis_only=True)
class _MakePart(AnalysisPass):
    """Have the code that is generated next go to a `_Part`."""

    _name = "make_part"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


class SubroutineCompiler(CompilerBase):
    """numba's own compiler, with that one thing left out."""

    def define_pipelines(self) -> list[Any]:
        """Return numba's passes, with ours before the code is generated."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_MakePart, AnnotateTypes)
        passes.finalize()
        return [passes]
