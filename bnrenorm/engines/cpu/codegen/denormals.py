"""Hyperparams below 1e-38, which processors are a hundred times slower with, taken as zero inside a kernel.

They come up whenever something decays: the velocity of a weight whose pixel has turned black halves every seven steps,
and after 800 steps every one of its updates would be slow.
"""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from bnrenorm.engines.cpu.codegen.decorators import intrinsic

_FLUSH = 0x8040  # MXCSR: results and operands that are denormal are zero
_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _access(name: str, context: Any, builder: Any, value: Any | None) -> Any:
    word = ir.IntType(32)
    place = cgutils.alloca_once(builder, word)
    if value is not None:
        builder.store(value, place)
    pointer = ir.IntType(8).as_pointer()
    function = builder.module.declare_intrinsic(f"llvm.x86.sse.{name}", (), ir.FunctionType(ir.VoidType(), [pointer]))
    builder.call(function, [builder.bitcast(place, pointer)])
    return builder.load(place)


@intrinsic
def flush(typing_context: Any) -> Any:
    """Take denormals as zero on this thread; returns what `restore` wants afterwards."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not _X86:
            return ir.Constant(ir.IntType(32), 0)
        before = _access("stmxcsr", context, builder, None)
        _access("ldmxcsr", context, builder, builder.or_(before, ir.Constant(ir.IntType(32), _FLUSH)))
        return before

    return types.uint32(), generate


@intrinsic
def restore(typing_context: Any, before: Any) -> Any:
    """Undo `flush`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86:
            _access("ldmxcsr", context, builder, arguments[0])
        return context.get_dummy_value()

    return types.none(types.uint32), generate
