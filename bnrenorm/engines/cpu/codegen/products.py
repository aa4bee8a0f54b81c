"""Matrix products of few rows and sums of a row, whose bits do not depend on the processor; for kernels only.

BLAS adds up in an order of its own on every kind of processor. Here each value is the sum of its terms one after
another, or, where they lie side by side in memory, of every sixteenth (float64: eighth) of them; these sums are then
added in pairs. How many values are computed at a time depends on the processor, and changes nothing.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from bnrenorm.engines.cpu.codegen.decorators import intrinsic, strict_subroutine
from bnrenorm.engines.cpu.codegen.numba_private import cgutils
from bnrenorm.engines.cpu.codegen.simd import FUSE, REGISTERS_OF_FOUR, WIDEST, Call, Vectors

DOTS = 4 if REGISTERS_OF_FOUR > 2 else 1
"""Rows of x that `dots` takes at a time: their sums with four rows of w have to fit the registers."""


@strict_subroutine
def dots(x, i, w, k, y):
    """Set y[i : i + DOTS, k : k + 4] = x[i : i + DOTS] w[k : k + 4]^T, as far as y reaches.

    x (N, D), w (K, D), y (N, K).
    """
    _dots(x, i, w, k, y)


@strict_subroutine
def weigh_rows(factors, row_step, term_step, table, out, i):
    """Set out[i : i + 4] = the sums over t of factors[row_step i + term_step t] table[t], as far as `out` reaches.

    factors: of any shape, indexed as flat; table (T, D); out (N, D).
    """
    _weigh_rows(factors, row_step, term_step, table, out, i)


@strict_subroutine
def dot(a, b):
    """Return the sum of a b: (D,) each."""
    return _dot(a, b)


@strict_subroutine
def row_sum(a):
    """Return the sum of a (D,)."""
    return _row_sum(a)


@intrinsic
def multiply_add(typing_context, a, b, c):
    """Return a b + c, of scalars of one dtype, rounded once where the processor can; for strict subroutines.

    Elsewhere LLVM may take it apart: in a b + c d it rounds the one product or the other, by the processor.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        real = arguments[2].type
        function = builder.module.declare_intrinsic("llvm.fmuladd", [real], ir.FunctionType(real, [real] * 3))
        return builder.call(function, arguments)

    return c(c, c, c), generate


class _Matrices(Call):
    """A call with contiguous matrices or vectors among its arguments."""

    def rows(self, k: int, first: Any, count: int) -> list[Any]:
        """Return pointers to rows of argument k from `first` on; past its last row to the last one."""
        last = self.builder.sub(self.shape(k)[0], first.type(1))
        wanted = [self.builder.add(first, first.type(r)) for r in range(count)]
        return [self.row(k, self.least(row, last)) for row in wanted]

    def row(self, k: int, index: Any) -> Any:
        return self.pointer(k, self.builder.mul(index, self.shape(k)[1]))

    def least(self, a: Any, b: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def by_lanes(self, vectors: Vectors, length: Any, add: Callable[[Callable[[Any], Any]], None]) -> None:
        """Generate add(load) for the whole vectors of rows of this length, and for the rest of them.

        load(pointer) loads the part of the row at `pointer` that is due; lanes beyond its end are 0.
        """
        builder, lanes = self.builder, length.type(vectors.lanes)
        whole = builder.mul(builder.sdiv(length, lanes), lanes)
        with cgutils.for_range_slice(builder, length.type(0), whole, lanes) as (begin, _):
            add(lambda pointer: vectors.load_all(builder.gep(pointer, [begin])))
        with builder.if_then(builder.icmp_signed("<", whole, length)):
            mask = vectors.first(builder.sub(length, whole))
            add(lambda pointer: vectors.load(builder.gep(pointer, [whole]), mask))

    def add_product(self, total: Any, a: Any, b: Any) -> None:
        """Add a b to the variable `total`."""
        term = self.builder.fmul(a, b, flags=FUSE)
        self.builder.store(self.builder.fadd(self.builder.load(total), term, flags=FUSE), total)


@intrinsic
def _dots(typing_context, x, i, w, k, y):
    def generate(*arguments: Any) -> Any:
        call = _Matrices(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, x.dtype, WIDEST)
        _, first, _, column, _ = call.arguments
        (_, depth), classes = call.shape(0), call.shape(4)[1]
        ours, theirs = call.rows(0, first, DOTS), call.rows(2, column, 4)
        sums = [call.variables([vectors.type(None)] * 4) for _ in ours]

        def add(load: Any) -> None:
            columns = [load(pointer) for pointer in theirs]
            for pointer, totals in zip(ours, sums, strict=True):
                value = load(pointer)
                for total, other in zip(totals, columns, strict=True):
                    call.add_product(total, value, other)

        call.by_lanes(vectors, depth, add)
        four = Vectors(builder, x.dtype, 4 * x.dtype.bitwidth)
        mask = four.first(builder.sub(classes, column))
        for pointer, totals in zip(call.rows(4, first, DOTS), sums, strict=True):
            total = _sum_of_lanes(builder, [builder.load(variable) for variable in totals])
            four.store(total, builder.gep(pointer, [column]), mask)
        return call.context.get_dummy_value()

    return types.void(x, types.intp, w, types.intp, y), generate


@intrinsic
def _dot(typing_context, a, b):
    def generate(*arguments: Any) -> Any:
        call = _Matrices(*arguments)
        ours, theirs = call.array(0).data, call.array(1).data
        return _one_sum(call, a.dtype, lambda total, load: call.add_product(total, load(ours), load(theirs)))

    return a.dtype(a, b), generate


@intrinsic
def _row_sum(typing_context, a):
    def generate(*arguments: Any) -> Any:
        call = _Matrices(*arguments)
        builder, data = call.builder, call.array(0).data
        return _one_sum(
            call, a.dtype, lambda total, load: builder.store(builder.fadd(builder.load(total), load(data)), total)
        )

    return a.dtype(a), generate


def _one_sum(call: _Matrices, real: Any, add: Callable[[Any, Callable[[Any], Any]], None]) -> Any:
    """Return the sum over the columns of argument 0, whose terms add(total, load) adds to the variable `total`."""
    builder, vectors = call.builder, Vectors(call.builder, real, WIDEST)
    (total,) = call.variables([vectors.type(None)])
    call.by_lanes(vectors, call.shape(0)[0], lambda load: add(total, load))
    return builder.extract_element(_sum_of_lanes(builder, [builder.load(total)] * 4), ir.IntType(32)(0))


def _sum_of_lanes(builder: Any, vectors: list[Any]) -> Any:
    """Return the sums of the lanes of four vectors as one: of neighbours, of neighbouring pairs, and so on."""

    def add(a: Any, b: Any, first: list[int], second: list[int]) -> Any:
        order = ir.VectorType(ir.IntType(32), len(first))
        return builder.fadd(builder.shuffle_vector(a, b, order(first)), builder.shuffle_vector(a, b, order(second)))

    a, b, c, d = vectors
    lanes = a.type.count
    evens = [k + of for k in range(0, lanes, 2) for of in (0, lanes)]
    ab, cd = (add(u, v, evens, [k + 1 for k in evens]) for u, v in ((a, b), (c, d)))
    pairs = [k + of + side for k in range(0, lanes, 4) for of in (0, lanes) for side in (0, 1)]
    total = add(ab, cd, pairs, [k + 2 for k in pairs])
    while lanes > 4:
        fours = [k + side for k in range(0, lanes, 8) for side in range(4)]
        total = add(total, total, fours, [k + 4 for k in fours])
        lanes //= 2
    return total


@intrinsic
def _weigh_rows(typing_context, factors, row_step, term_step, table, out, i):
    def generate(*arguments: Any) -> Any:
        call = _Matrices(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, table.dtype)
        _, row_step, term_step, _, _, first = call.arguments
        (terms, width), (rows, _) = call.shape(3), call.shape(4)
        last = builder.sub(rows, first.type(1))
        begins = [
            call.pointer(0, builder.mul(call.least(builder.add(first, first.type(g)), last), row_step))
            for g in range(4)
        ]

        def body(columns: list[Any], masks: list[Any]) -> None:
            sums = [call.variables([vectors.type(None)] * len(columns)) for _ in range(4)]
            with cgutils.for_range(builder, terms) as loop:
                row = call.row(3, loop.index)
                values = vectors.load_each([builder.gep(row, [column]) for column in columns], masks)
                for begin, totals in zip(begins, sums, strict=True):
                    factor = vectors.splat(builder.load(builder.gep(begin, [builder.mul(loop.index, term_step)])))
                    for total, value in zip(totals, values, strict=True):
                        call.add_product(total, factor, value)
            for row, totals in zip(call.rows(4, first, 4), sums, strict=True):
                vectors.store_each(totals, [builder.gep(row, [column]) for column in columns], masks)

        vectors.loop(width, body, REGISTERS_OF_FOUR)
        return call.context.get_dummy_value()

    whole = types.intp
    return types.void(factors, whole, whole, table, out, whole), generate
