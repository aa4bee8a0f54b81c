"""Loops over the columns of rows, some vector registers at a time, in LLVM's language: it does not find them itself."""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils

_BITS = 512 if binding.get_host_cpu_features().get("avx512f") else 256  # of a register
_MOST = 8  # registers that hold sums at a time
FOURFOLD = 5 if _BITS == 512 else 2
"""Registers that hold sums for each of four at a time: with what they are made of, all that there are."""


class Vectors:
    """Loads, stores and constants of one vector type."""

    def __init__(self, builder: Any, real: Any):
        self.builder, self.bytes, self.lanes = builder, real.bitwidth // 8, _BITS // real.bitwidth
        self.type = ir.VectorType(ir.FloatType() if real.bitwidth == 32 else ir.DoubleType(), self.lanes)
        self.masks = ir.VectorType(ir.IntType(1), self.lanes)
        pointer, align = self.type.as_pointer(), ir.IntType(32)
        self.align = align(self.bytes)
        self._load = self._declare("load", self.type, [pointer, align, self.masks, self.type])
        self._store = self._declare("store", ir.VoidType(), [self.type, pointer, align, self.masks])

    def _declare(self, name: str, result: Any, arguments: list[Any]) -> Any:
        full = f"llvm.masked.{name}.v{self.lanes}f{8 * self.bytes}.p0"
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, arguments), full)

    def splat(self, x: Any) -> Any:
        """Repeat a number in every lane."""
        spec = ir.VectorType(x.type, self.lanes)
        one = self.builder.insert_element(spec(ir.Undefined), x, ir.IntType(32)(0))
        return self.builder.shuffle_vector(one, spec(ir.Undefined), ir.VectorType(ir.IntType(32), self.lanes)(None))

    def whole(self, place: Any) -> Any:
        """Load a vector."""
        return self.builder.load(self._at(place), align=self.bytes)

    def load(self, place: Any, mask: Any) -> Any:
        """Load the lanes of a mask; the others are 0."""
        return self.builder.call(self._load, [self._at(place), self.align, mask, self.type(None)])

    def store(self, x: Any, place: Any, mask: Any) -> None:
        """Store the lanes of a mask."""
        self.builder.call(self._store, [x, self._at(place), self.align, mask])

    def _at(self, place: Any) -> Any:
        return self.builder.bitcast(place, self.type.as_pointer())

    def over(self, width: Any, body: Callable[[list[Any], list[Any]], None], most: int = _MOST) -> None:
        """Generate `body` for columns 0 to `width`, `most` vectors at a time: their first columns, and their masks."""
        builder, index = self.builder, width.type
        lanes = index(self.lanes)

        def up(a: Any, b: Any) -> Any:
            return builder.sdiv(builder.add(a, builder.sub(b, index(1))), b)

        vectors = up(width, lanes)
        turns = up(vectors, index(most))
        done = cgutils.alloca_once_value(builder, index(0))
        every = ir.Constant(self.masks, [1] * self.lanes)
        with cgutils.for_range(builder, turns) as loop:
            before = builder.load(done)
            size = up(builder.sub(vectors, before), builder.sub(turns, loop.index))  # turns as even as they can be
            after = builder.add(before, size)
            builder.store(after, done)
            left = builder.sub(width, builder.mul(builder.sub(after, index(1)), lanes))
            numbers = ir.VectorType(index, self.lanes)(list(range(self.lanes)))
            last = builder.icmp_signed("<", numbers, self.splat(left))
            first, end = builder.mul(before, lanes), builder.append_basic_block()
            choice = builder.switch(size, end)
            for case in range(1, most + 1):
                block = builder.append_basic_block()
                choice.add_case(index(case), block)
                with builder.goto_block(block):
                    places = [builder.add(first, index(q * self.lanes)) for q in range(case)]
                    body(places, [every] * (case - 1) + [last])
                    builder.branch(end)
            builder.position_at_end(end)
