"""Flushing denormal floats (below 1e-38) to zero inside kernels: processors are a hundred times slower with them.

They appear wherever something decays. The velocity of a weight whose pixel has turned black halves every seven steps,
so that after 800 steps each of its updates would be slow.
"""

import platform
from typing import Any

from llvmlite import ir
from numba import types

from bnrenorm.engines.cpu.codegen.decorators import intrinsic
from bnrenorm.engines.cpu.codegen.numba_private import cgutils

_FLUSH = 0x8040  # bits of MXCSR: denormal results and operands are taken as zero
_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _access_mxcsr(instruction: str, builder: Any, value: Any | None) -> Any:
    """Generate "stmxcsr" or "ldmxcsr", which read and write the control register through memory."""
    word = ir.IntType(32)
    memory = cgutils.alloca_once(builder, word)
    if value is not None:
        builder.store(value, memory)
    pointer = ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [pointer])
    function = builder.module.declare_intrinsic(f"llvm.x86.sse.{instruction}", (), signature)
    builder.call(function, [builder.bitcast(memory, pointer)])
    return builder.load(memory)


@intrinsic
def flush(typing_context: Any) -> Any:
    """Take denormals as zero on this thread; return the control register for `restore`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not _X86:
            return ir.Constant(ir.IntType(32), 0)
        before = _access_mxcsr("stmxcsr", builder, None)
        _access_mxcsr("ldmxcsr", builder, builder.or_(before, ir.Constant(ir.IntType(32), _FLUSH)))
        return before

    return types.uint32(), generate


@intrinsic
def restore(typing_context: Any, before: Any) -> Any:
    """Undo `flush`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86:
            _access_mxcsr("ldmxcsr", builder, arguments[0])
        return context.get_dummy_value()

    return types.none(types.uint32), generate
