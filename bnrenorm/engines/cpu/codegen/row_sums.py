"""Weighted sums of table rows by index, and momentum steps from them; for kernels only.

Arguments that several functions share. All float arrays are of one dtype and contiguous, and are indexed as flat:

- begin, end: the sum runs over t from begin to end - 1;
- factors (T,) float: the weight of a row; rows (T,) int32: its index in the table;
- table (M, pitch) float, which begins at a cache line and whose pitch is a whole number of them, because its rows are
  read to the end of the last line that `width` touches;
- offset: where the changed values, `width` of them, begin in out, p and velocity.
"""

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba import types

from bnrenorm.engines.cpu.codegen.decorators import intrinsic, strict_subroutine
from bnrenorm.engines.cpu.codegen.numba_private import cgutils
from bnrenorm.engines.cpu.codegen.simd import FUSE, REGISTERS_OF_FOUR, Call, Vectors


@strict_subroutine
def add_rows(begin, end, factors, rows, table, out, offset, width):
    """out += the sum over t of factors[t] table[rows[t]]."""
    _add_rows(begin, end, factors, rows, table, out, offset, width)


@strict_subroutine
def momentum_row(begin, end, factors, rows, table, velocity, p, offset, width, momentum):
    """velocity = momentum velocity + the sum over t of factors[t] table[rows[t]]; p += velocity."""
    _momentum_row(begin, end, factors, rows, table, velocity, p, offset, width, momentum)


@strict_subroutine
def coast(steps, velocity, p, offset, width, momentum):
    """Take this many steps of `momentum_row` with empty sums."""
    _coast(steps, velocity, p, offset, width, momentum)


@strict_subroutine
def four_sums(begin, end, factors, rows, table, out, width):
    """out[g] = the sum over t of factors[t, g] table[rows[t]], for g = 0 to 3: factors (T, 4), out (4, >= width)."""
    _four_sums(begin, end, factors, rows, table, out, width)


class _Sum(Call):
    """A call whose first arguments are begin, end, factors, rows, table."""

    def add_weighted_rows(self, vectors: Vectors, columns: list[Any], sums: list[Any]) -> None:
        """Add factor times row at `columns` to `sums`."""
        builder, (begin, end) = self.builder, self.arguments[:2]
        factors, rows, table = (self.array(k).data for k in (2, 3, 4))
        pitch = cgutils.unpack_tuple(builder, self.array(4).shape)[1]
        with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (t, _):
            factor = vectors.splat(builder.load(builder.gep(factors, [t])))
            row = builder.mul(builder.sext(builder.load(builder.gep(rows, [t])), pitch.type), pitch)
            for total, column in zip(sums, columns, strict=True):
                pointer = builder.gep(table, [builder.add(row, column)])
                term = builder.fmul(factor, vectors.load_all(pointer), flags=FUSE)
                builder.store(builder.fadd(builder.load(total), term, flags=FUSE), total)

    def add_rows_weighted_by_four(self, vectors: Vectors, columns: list[Any], sums: list[list[Any]]) -> None:
        """Add each row at `columns` to four lists of sums, by its four factors."""
        builder, (begin, end) = self.builder, self.arguments[:2]
        factors, rows, table = (self.array(k).data for k in (2, 3, 4))
        pitch = cgutils.unpack_tuple(builder, self.array(4).shape)[1]
        with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (t, _):
            row = builder.mul(builder.sext(builder.load(builder.gep(rows, [t])), pitch.type), pitch)
            values = [vectors.load_all(builder.gep(table, [builder.add(row, column)])) for column in columns]
            for g, totals in enumerate(sums):
                pointer = builder.gep(factors, [builder.add(builder.mul(t, t.type(4)), t.type(g))])
                factor = vectors.splat(builder.load(pointer))
                for total, value in zip(totals, values, strict=True):
                    term = builder.fmul(factor, value, flags=FUSE)
                    builder.store(builder.fadd(builder.load(total), term, flags=FUSE), total)


@intrinsic
def _add_rows(typing_context, begin, end, factors, rows, table, out, offset, width):
    def generate(*arguments: Any) -> Any:
        call = _Sum(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, table.dtype)
        target = call.pointer(5, call.arguments[6])

        def body(columns: list[Any], masks: list[Any]) -> None:
            pointers = [builder.gep(target, [column]) for column in columns]
            sums = [call.variable(vectors.load(*pair)) for pair in zip(pointers, masks, strict=True)]
            call.add_weighted_rows(vectors, columns, sums)
            for total, pair in zip(sums, zip(pointers, masks, strict=True), strict=True):
                vectors.store(builder.load(total), *pair)

        vectors.loop(call.arguments[7], body)
        return call.context.get_dummy_value()

    return types.void(types.intp, types.intp, factors, rows, table, out, types.intp, types.intp), generate


@intrinsic
def _four_sums(typing_context, begin, end, factors, rows, table, out, width):
    def generate(*arguments: Any) -> Any:
        call = _Sum(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, table.dtype)
        pitch = cgutils.unpack_tuple(builder, call.array(5).shape)[1]

        def body(columns: list[Any], masks: list[Any]) -> None:
            sums = [[call.variable(vectors.type(None)) for _ in columns] for _ in range(4)]
            call.add_rows_weighted_by_four(vectors, columns, sums)
            for g, totals in enumerate(sums):
                row = builder.mul(pitch, pitch.type(g))
                for total, column, mask in zip(totals, columns, masks, strict=True):
                    vectors.store(builder.load(total), call.pointer(5, builder.add(row, column)), mask)

        vectors.loop(call.arguments[6], body, REGISTERS_OF_FOUR)
        return call.context.get_dummy_value()

    return types.void(types.intp, types.intp, factors, rows, table, out, types.intp), generate


@intrinsic
def _momentum_row(typing_context, begin, end, factors, rows, table, velocity, p, offset, width, momentum):
    def generate(*arguments: Any) -> Any:
        call = _Sum(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, table.dtype)
        decay = vectors.splat(call.arguments[9])

        def body(columns: list[Any], masks: list[Any]) -> None:
            velocities, weights = _pointers(call, (5, 6), call.arguments[7], columns)
            sums = [
                call.variable(builder.fmul(decay, vectors.load(*pair))) for pair in zip(velocities, masks, strict=True)
            ]
            call.add_weighted_rows(vectors, columns, sums)
            for total, at_velocity, at_weight, mask in zip(sums, velocities, weights, masks, strict=True):
                step = builder.load(total)
                vectors.store(step, at_velocity, mask)
                vectors.store(builder.fadd(vectors.load(at_weight, mask), step), at_weight, mask)

        vectors.loop(call.arguments[8], body)
        return call.context.get_dummy_value()

    signature = types.void(
        types.intp, types.intp, factors, rows, table, velocity, p, types.intp, types.intp, table.dtype
    )
    return signature, generate


@intrinsic
def _coast(typing_context, steps, velocity, p, offset, width, momentum):
    def generate(*arguments: Any) -> Any:
        call = _Sum(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, p.dtype)
        decay = vectors.splat(call.arguments[5])

        def body(columns: list[Any], masks: list[Any]) -> None:
            pairs = list(zip(*_pointers(call, (1, 2), call.arguments[3], columns), strict=True))
            variables = [
                [call.variable(vectors.load(pointer, mask)) for pointer in pair]
                for pair, mask in zip(pairs, masks, strict=True)
            ]
            with cgutils.for_range(builder, call.arguments[0]):
                for speed, weight in variables:
                    builder.store(builder.fmul(decay, builder.load(speed)), speed)
                    builder.store(builder.fadd(builder.load(weight), builder.load(speed)), weight)
            for values, pair, mask in zip(variables, pairs, masks, strict=True):
                for value, pointer in zip(values, pair, strict=True):
                    vectors.store(builder.load(value), pointer, mask)

        vectors.loop(call.arguments[4], body)
        return call.context.get_dummy_value()

    return types.void(types.intp, velocity, p, types.intp, types.intp, p.dtype), generate


@intrinsic
def prefetch(typing_context, array, offset):
    """Fetch the cache line of array[offset] into the cache; `offset` may lie outside of the array."""

    def generate(*arguments: Any) -> Any:
        call, word, byte = _Sum(*arguments), ir.IntType(32), ir.IntType(8).as_pointer()
        signature = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(call.builder.module, signature, "llvm.prefetch.p0")
        address = call.builder.bitcast(call.pointer(0, call.arguments[1]), byte)
        call.builder.call(function, [address, word(0), word(3), word(1)])  # to read, to all cache levels, data
        return call.context.get_dummy_value()

    return types.void(array, types.intp), generate


def _pointers(call: Call, arrays: tuple[int, int], offset: Any, columns: list[Any]) -> Iterator[list[Any]]:
    """Yield, for each of two array arguments, pointers to the columns."""
    for k in arrays:
        begin = call.pointer(k, offset)
        yield [call.builder.gep(begin, [column]) for column in columns]
