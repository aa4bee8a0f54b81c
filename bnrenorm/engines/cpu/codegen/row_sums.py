"""Weighted sums of table rows by index, four results at a time, and steps from them; for kernels only.

A row of the table, once loaded, serves all four, which lie anywhere in memory: the sums are added to the `width` values
that begin at out[a], out[b], out[c] and out[d]. Some of these may be the same, if their factors are the same too.

Arguments that several functions share. All float arrays are of one dtype and contiguous, and are indexed as flat:

- begin, end: the sum runs over t from begin to end - 1;
- factors (T, 4) float: the weights of a row in the four sums; rows (T,) int32: its index in the table;
- table (M, pitch) float, which begins at a cache line and whose pitch is a whole number of them, because its rows are
  read to the end of the last line that `width` touches.
"""

from typing import Any

from numba import types

from bnrenorm.engines.cpu.codegen.decorators import intrinsic, strict_subroutine
from bnrenorm.engines.cpu.codegen.numba_private import cgutils
from bnrenorm.engines.cpu.codegen.simd import FUSE, REGISTERS_OF_FOUR, Call, Vectors


@strict_subroutine
def add_fours(begin, end, factors, rows, table, out, a, b, c, d, width):
    """out[a:], out[b:], out[c:] and out[d:] += the sums over t of factors[t] table[rows[t]]."""
    _add_fours(begin, end, factors, rows, table, out, a, b, c, d, width)


@strict_subroutine
def momentum_fours(begin, end, factors, rows, table, velocity, p, a, b, c, d, width, momentum):
    """velocity = momentum velocity + the sums over t of factors[t] table[rows[t]]; p += velocity: at a, b, c and d."""
    _momentum_fours(begin, end, factors, rows, table, velocity, p, a, b, c, d, width, momentum)


@strict_subroutine
def coast(steps, velocity, p, offset, width, momentum):
    """Take this many steps of `momentum_fours` with empty sums, of the `width` values from `offset` on."""
    _coast(steps, velocity, p, offset, width, momentum)


class _Sums(Call):
    """A call whose first arguments are begin, end, factors, rows, table."""

    def add(self, vectors: Vectors, columns: list[Any], sums: list[list[Any]]) -> None:
        """Add the table's rows at `columns` to four lists of sums, by their factors."""
        builder, (begin, end) = self.builder, self.arguments[:2]
        factors, rows, table = (self.array(k).data for k in (2, 3, 4))
        pitch = self.shape(4)[1]
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
def _add_fours(typing_context, begin, end, factors, rows, table, out, a, b, c, d, width):
    def generate(*arguments: Any) -> Any:
        call = _Sums(*arguments)
        vectors = Vectors(call.builder, table.dtype)

        def body(columns: list[Any], masks: list[Any]) -> None:
            pointers = call.pointers(5, call.arguments[6:10], columns)
            sums = call.variables(vectors.load_each(pointers, masks))
            call.add(vectors, columns, _four(sums))
            vectors.store_each(sums, pointers, masks)

        vectors.loop(call.arguments[10], body, REGISTERS_OF_FOUR)
        return call.context.get_dummy_value()

    whole = types.intp
    return types.void(whole, whole, factors, rows, table, out, whole, whole, whole, whole, whole), generate


@intrinsic
def _momentum_fours(typing_context, begin, end, factors, rows, table, velocity, p, a, b, c, d, width, momentum):
    def generate(*arguments: Any) -> Any:
        call = _Sums(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, table.dtype)
        decay = vectors.splat(call.arguments[12])

        def body(columns: list[Any], masks: list[Any]) -> None:
            velocities, weights = (call.pointers(k, call.arguments[7:11], columns) for k in (5, 6))
            sums = call.variables([builder.fmul(decay, speed) for speed in vectors.load_each(velocities, masks)])
            call.add(vectors, columns, _four(sums))
            moved = call.variables(  # all before the first store, since some of the four may be the same
                [
                    builder.fadd(weight, builder.load(step))
                    for weight, step in zip(vectors.load_each(weights, masks), sums, strict=True)
                ]
            )
            vectors.store_each(sums, velocities, masks)
            vectors.store_each(moved, weights, masks)

        vectors.loop(call.arguments[11], body, REGISTERS_OF_FOUR)
        return call.context.get_dummy_value()

    whole = types.intp
    signature = types.void(
        whole, whole, factors, rows, table, velocity, p, whole, whole, whole, whole, whole, table.dtype
    )
    return signature, generate


def _four(sums: list[Any]) -> list[list[Any]]:
    columns = len(sums) // 4
    return [sums[k : k + columns] for k in range(0, len(sums), columns)]


@intrinsic
def _coast(typing_context, steps, velocity, p, offset, width, momentum):
    def generate(*arguments: Any) -> Any:
        call = Call(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, p.dtype)
        decay = vectors.splat(call.arguments[5])

        def body(columns: list[Any], masks: list[Any]) -> None:
            velocities, weights = (call.pointers(k, [call.arguments[3]], columns) for k in (1, 2))
            speeds, moved = (call.variables(vectors.load_each(pointers, masks)) for pointers in (velocities, weights))
            with cgutils.for_range(builder, call.arguments[0]):
                for speed, weight in zip(speeds, moved, strict=True):
                    builder.store(builder.fmul(decay, builder.load(speed)), speed)
                    builder.store(builder.fadd(builder.load(weight), builder.load(speed)), weight)
            vectors.store_each(speeds, velocities, masks)
            vectors.store_each(moved, weights, masks)

        vectors.loop(call.arguments[4], body)
        return call.context.get_dummy_value()

    return types.void(types.intp, velocity, p, types.intp, types.intp, p.dtype), generate
