"""Loops over the columns of rows, several vector registers at a time, written in LLVM IR.

LLVM's own vectoriser does not find these loops.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir

from bnrenorm.engines.cpu.codegen.numba_private import cgutils

WIDEST = 512
"""Bits of the widest vector registers of x86-64."""

_BITS = WIDEST if binding.get_host_cpu_features().get("avx512f") else 256  # width of a vector register
_REGISTERS = 8  # that hold sums at a time
REGISTERS_OF_FOUR = 5 if _BITS == WIDEST else 2
"""Registers that hold sums at a time for each of four sums; with their terms these are all the registers there are."""

FUSE = ["contract"]
"""Flags: a product and a sum may be one instruction."""


class Call:
    """A call of an intrinsic while LLVM IR is generated for it."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any):
        self.context, self.builder, self.signature, self.arguments = context, builder, signature, arguments

    def array(self, k: int) -> Any:
        """Return argument k, an array, with its data pointer and shape."""
        return self.context.make_array(self.signature.args[k])(self.context, self.builder, self.arguments[k])

    def shape(self, k: int) -> Any:
        """Return the shape of argument k, an array."""
        return cgutils.unpack_tuple(self.builder, self.array(k).shape)

    def pointer(self, k: int, offset: Any) -> Any:
        """Return a pointer into argument k, an array."""
        return self.builder.gep(self.array(k).data, [offset])

    def pointers(self, k: int, offsets: list[Any], columns: list[Any]) -> list[Any]:
        """Return pointers to the columns from each of some offsets into argument k, an array, one after another."""
        return [self.builder.gep(self.pointer(k, offset), [column]) for offset in offsets for column in columns]

    def variables(self, values: list[Any]) -> list[Any]:
        """Make a variable of each value; LLVM keeps it in a register."""
        return [cgutils.alloca_once_value(self.builder, value) for value in values]


class Vectors:
    """Loads, stores and constants of one vector type: `lanes` values of `real`, a numba float type.

    `bits`: its size, by default a register's; LLVM spreads a wider one over several registers.
    """

    def __init__(self, builder: Any, real: Any, bits: int = _BITS):
        self.builder, self.bytes, self.lanes = builder, real.bitwidth // 8, bits // real.bitwidth
        self.type = ir.VectorType(ir.FloatType() if real.bitwidth == 32 else ir.DoubleType(), self.lanes)
        self.mask_type = ir.VectorType(ir.IntType(1), self.lanes)
        pointer, align = self.type.as_pointer(), ir.IntType(32)
        self.align = align(self.bytes)
        self._load = self._declare("load", self.type, [pointer, align, self.mask_type, self.type])
        self._store = self._declare("store", ir.VoidType(), [self.type, pointer, align, self.mask_type])

    def _declare(self, name: str, result: Any, arguments: list[Any]) -> Any:
        full = f"llvm.masked.{name}.v{self.lanes}f{8 * self.bytes}.p0"
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, arguments), full)

    def splat(self, x: Any) -> Any:
        """Repeat a scalar in every lane."""
        vector = ir.VectorType(x.type, self.lanes)
        one = self.builder.insert_element(vector(ir.Undefined), x, ir.IntType(32)(0))
        return self.builder.shuffle_vector(one, vector(ir.Undefined), ir.VectorType(ir.IntType(32), self.lanes)(None))

    def first(self, count: Any) -> Any:
        """Make the mask of the first `count` lanes, or of all if there are fewer."""
        numbers = ir.VectorType(count.type, self.lanes)(list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.splat(count))

    def load_all(self, pointer: Any) -> Any:
        """Load a whole vector."""
        return self.builder.load(self._cast(pointer), align=self.bytes)

    def load(self, pointer: Any, mask: Any) -> Any:
        """Load the lanes of a mask; the others are 0."""
        return self.builder.call(self._load, [self._cast(pointer), self.align, mask, self.type(None)])

    def store(self, x: Any, pointer: Any, mask: Any) -> None:
        """Store the lanes of a mask."""
        self.builder.call(self._store, [x, self._cast(pointer), self.align, mask])

    def load_each(self, pointers: list[Any], masks: list[Any]) -> list[Any]:
        """Load a vector from each pointer; the masks are those of the first pointers, and again of the next ones."""
        return [self.load(pointer, masks[k % len(masks)]) for k, pointer in enumerate(pointers)]

    def store_each(self, variables: list[Any], pointers: list[Any], masks: list[Any]) -> None:
        """Store each variable at its pointer, with masks as in `load_each`."""
        for k, (variable, pointer) in enumerate(zip(variables, pointers, strict=True)):
            self.store(self.builder.load(variable), pointer, masks[k % len(masks)])

    def _cast(self, pointer: Any) -> Any:
        return self.builder.bitcast(pointer, self.type.as_pointer())

    def loop(self, width: Any, body: Callable[[list[Any], list[Any]], None], registers: int = _REGISTERS) -> None:
        """Generate a loop over columns 0 to `width`, at most `registers` vectors per iteration, as even as they can be.

        body(columns, masks) generates the code of an iteration, from each vector's first column and mask.
        """
        builder, index = self.builder, width.type
        lanes = index(self.lanes)

        def ceil_divide(a: Any, b: Any) -> Any:
            return builder.sdiv(builder.add(a, builder.sub(b, index(1))), b)

        vectors = ceil_divide(width, lanes)
        iterations = ceil_divide(vectors, index(registers))
        done = cgutils.alloca_once_value(builder, index(0))
        full_mask = ir.Constant(self.mask_type, [1] * self.lanes)
        with cgutils.for_range(builder, iterations) as loop:
            before = builder.load(done)
            count = ceil_divide(builder.sub(vectors, before), builder.sub(iterations, loop.index))
            after = builder.add(before, count)
            builder.store(after, done)
            remaining = builder.sub(width, builder.mul(builder.sub(after, index(1)), lanes))
            last_mask = self.first(remaining)
            first_column, end = builder.mul(before, lanes), builder.append_basic_block()
            switch = builder.switch(count, end)
            for case in range(1, registers + 1):
                block = builder.append_basic_block()
                switch.add_case(index(case), block)
                with builder.goto_block(block):
                    columns = [builder.add(first_column, index(q * self.lanes)) for q in range(case)]
                    body(columns, [full_mask] * (case - 1) + [last_mask])
                    builder.branch(end)
            builder.position_at_end(end)
