"""Products of dense matrices that stay in the cache, four rows of the result at a time; for kernels only.

Arguments that several functions share. All float arrays are of one dtype and contiguous, and are indexed as flat:

- factors, first, step, stride: row g of the result weighs row t of the table by factors[first + t step + g stride];
- members: how many of the four rows are asked for, 1 to 4; the others repeat the last one;
- begin, end: the sums run over t from begin to end - 1;
- table (M, pitch) float: as in `row_sums`; its columns from `column` on are meant, a whole number of cache lines;
- offset, pitch: where the first of the result's rows begins, and how far they are apart; width: their columns.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from bnrenorm.engines.cpu.codegen.decorators import intrinsic, strict_subroutine
from bnrenorm.engines.cpu.codegen.numba_private import cgutils
from bnrenorm.engines.cpu.codegen.simd import FUSE, REGISTERS_OF_FOUR, Call, Vectors


@strict_subroutine
def add_products(begin, end, factors, first, step, stride, members, table, column, out, offset, pitch, width):
    """out[offset + g pitch:] += the sum over t of the factor times table[t, column:]."""
    _add_products(begin, end, factors, first, step, stride, members, table, column, out, offset, pitch, width)


@strict_subroutine
def momentum_products(
    begin, end, factors, first, step, stride, members, table, column, velocity, p, offset, pitch, width, momentum
):
    """velocity = momentum velocity + the sum over t of the factor times table[t]; p += velocity, in each row."""
    _momentum_products(
        begin, end, factors, first, step, stride, members, table, column, velocity, p, offset, pitch, width, momentum
    )


_ROWS = range(4)


class _Tile(Call):
    """A call whose first arguments are begin, end, factors, first, step, stride, members, table, column."""

    def members(self) -> list[Any]:
        """Return the row that each of the four stands for."""
        members, last = self.arguments[6], self.builder.sub(self.arguments[6], self.arguments[6].type(1))
        return [
            self.builder.select(self.builder.icmp_signed("<", members.type(g), members), members.type(g), last)
            for g in _ROWS
        ]

    def add(self, vectors: Vectors, columns: list[Any], sums: list[list[Any]]) -> None:
        """Add the table's rows at `columns` to four lists of sums, by their factors."""
        builder, (begin, end) = self.builder, self.arguments[:2]
        _, _, _, first, step, stride = self.arguments[:6]
        factors, table = self.array(2).data, self.array(7)
        pitch = cgutils.unpack_tuple(builder, table.shape)[1]
        starts = [builder.add(first, builder.mul(row, stride)) for row in self.members()]
        with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (t, _):
            row = builder.add(builder.mul(t, pitch), self.arguments[8])
            along = builder.mul(t, step)
            values = [vectors.load_all(builder.gep(table.data, [builder.add(row, column)])) for column in columns]
            for start, totals in zip(starts, sums, strict=True):
                factor = vectors.splat(builder.load(builder.gep(factors, [builder.add(start, along)])))
                for total, value in zip(totals, values, strict=True):
                    term = builder.fmul(factor, value, flags=FUSE)
                    builder.store(builder.fadd(builder.load(total), term, flags=FUSE), total)

    def pointers(self, k: int, offset: Any, pitch: Any, columns: list[Any]) -> list[list[Any]]:
        """Return pointers to the columns of the four rows in argument k."""
        begins = [self.pointer(k, self.builder.add(offset, self.builder.mul(row, pitch))) for row in self.members()]
        return [[self.builder.gep(begin, [column]) for column in columns] for begin in begins]


@intrinsic
def _add_products(
    typing_context, begin, end, factors, first, step, stride, members, table, column, out, offset, pitch, width
):
    def generate(*arguments: Any) -> Any:
        call = _Tile(*arguments)
        vectors = Vectors(call.builder, table.dtype)
        offset, pitch, width = call.arguments[10:13]

        def body(columns: list[Any], masks: list[Any]) -> None:
            pointers = call.pointers(9, offset, pitch, columns)
            sums = _variables(call, pointers, masks, vectors.load)
            call.add(vectors, columns, sums)
            _store(call, vectors, sums, pointers, masks)

        vectors.loop(width, body, REGISTERS_OF_FOUR)
        return call.context.get_dummy_value()

    whole = types.intp
    signature = types.void(whole, whole, factors, whole, whole, whole, whole, table, whole, out, whole, whole, whole)
    return signature, generate


@intrinsic
def _momentum_products(
    typing_context, begin, end, factors, first, step, stride, members, table, column, velocity, p, offset, pitch, width,
    momentum,
):  # fmt: skip
    def generate(*arguments: Any) -> Any:
        call = _Tile(*arguments)
        builder, vectors = call.builder, Vectors(call.builder, table.dtype)
        offset, pitch, width, momentum = call.arguments[11:15]
        decay = vectors.splat(momentum)

        def body(columns: list[Any], masks: list[Any]) -> None:
            velocities, weights = (call.pointers(k, offset, pitch, columns) for k in (9, 10))
            sums = _variables(
                call, velocities, masks, lambda pointer, mask: builder.fmul(decay, vectors.load(pointer, mask))
            )
            call.add(vectors, columns, sums)
            _store(call, vectors, sums, velocities, masks)
            moved = _variables(call, weights, masks, vectors.load)  # all before the first store: rows may repeat
            for totals, steps in zip(moved, sums, strict=True):
                for total, step in zip(totals, steps, strict=True):
                    builder.store(builder.fadd(builder.load(total), builder.load(step)), total)
            _store(call, vectors, moved, weights, masks)

        vectors.loop(width, body, REGISTERS_OF_FOUR)
        return call.context.get_dummy_value()

    whole = types.intp
    signature = types.void(
        whole, whole, factors, whole, whole, whole, whole, table, whole, velocity, p, whole, whole, whole, table.dtype
    )
    return signature, generate


def _variables(
    call: _Tile, pointers: list[list[Any]], masks: list[Any], load: Callable[[Any, Any], Any]
) -> list[list[Any]]:
    return [[call.variable(load(*pair)) for pair in zip(row, masks, strict=True)] for row in pointers]


def _store(call: _Tile, vectors: Vectors, sums: list[list[Any]], pointers: list[list[Any]], masks: list[Any]) -> None:
    for row, places in zip(sums, pointers, strict=True):
        for total, pointer, mask in zip(row, places, masks, strict=True):
            vectors.store(call.builder.load(total), pointer, mask)
