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

_MACHINE = platform.machine().lower()
_X86, _ARM = _MACHINE in ("x86_64", "amd64"), _MACHINE in ("aarch64", "arm64")
_FLUSH = 0x8040 if _X86 else 1 << 24  # bits of MXCSR, or of FPCR: denormal results and operands are taken as zero
_WORD, _REGISTER = ir.IntType(32), ir.IntType(64)


def _read(builder: Any) -> Any:
    """Generate code that reads the control register of floating-point arithmetic."""
    if _X86:
        return builder.load(_through_memory("stmxcsr", builder, cgutils.alloca_once(builder, _WORD)))
    if _ARM:
        read = builder.module.declare_intrinsic("llvm.aarch64.get.fpcr", (), ir.FunctionType(_REGISTER, []))
        return builder.trunc(builder.call(read, []), _WORD)
    return _WORD(0)


def _write(builder: Any, value: Any) -> None:
    """Generate code that writes it."""
    if _X86:
        _through_memory("ldmxcsr", builder, cgutils.alloca_once_value(builder, value))
    elif _ARM:
        signature = ir.FunctionType(ir.VoidType(), [_REGISTER])
        write = builder.module.declare_intrinsic("llvm.aarch64.set.fpcr", (), signature)
        builder.call(write, [builder.zext(value, _REGISTER)])


def _through_memory(instruction: str, builder: Any, memory: Any) -> Any:
    """Generate "stmxcsr" or "ldmxcsr", which store and load the register; return the memory."""
    pointer = ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [pointer])
    function = builder.module.declare_intrinsic(f"llvm.x86.sse.{instruction}", (), signature)
    builder.call(function, [builder.bitcast(memory, pointer)])
    return memory


@intrinsic
def flush(typing_context: Any) -> Any:
    """Take denormals as zero on this thread; return the control register for `restore`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        before = _read(builder)
        _write(builder, builder.or_(before, _WORD(_FLUSH)))
        return before

    return types.uint32(), generate


@intrinsic
def restore(typing_context: Any, before: Any) -> Any:
    """Undo `flush`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _write(builder, arguments[0])
        return context.get_dummy_value()

    return types.none(types.uint32), generate
