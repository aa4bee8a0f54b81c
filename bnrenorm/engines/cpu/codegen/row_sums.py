"""Sums of chosen rows of a table, and momentum's steps; for kernels only.

Arrays are contiguous, of one float dtype but for `rows`, and are taken as flat: `factors` and `rows` from `begin` to
`end`, what is changed from `at`. table (M, pitch) begins with a cache line and its pitch is a whole number of them, as
its rows are read to the end of the last line that `width` touches.
"""

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from bnrenorm.engines.cpu.codegen.decorators import intrinsic, literal
from bnrenorm.engines.cpu.codegen.simd import FOURFOLD, Vectors


@literal
def add_rows(begin, end, factors, rows, table, out, at, width):
    """out += the sum over t of factors[t] table[rows[t]]."""
    _add_rows(begin, end, factors, rows, table, out, at, width)


@literal
def momentum_row(begin, end, factors, rows, table, velocity, p, at, width, momentum):
    """velocity = momentum velocity + the sum over t of factors[t] table[rows[t]]; p += velocity."""
    _momentum_row(begin, end, factors, rows, table, velocity, p, at, width, momentum)


@literal
def coast(steps, velocity, p, at, width, momentum):
    """Take so many steps of `momentum_row` with sums of nothing."""
    _coast(steps, velocity, p, at, width, momentum)


@literal
def four_sums(begin, end, factors, rows, table, out, width):
    """out[g] = the sum over t of factors[t, g] table[rows[t]], for g = 0 to 3."""
    _four_sums(begin, end, factors, rows, table, out, width)


class _Call:
    """An intrinsic's arguments, where they are wanted in LLVM's language."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any):
        self.context, self.builder, self.signature, self.arguments = context, builder, signature, arguments

    def array(self, k: int) -> Any:
        """Open an argument that is an array."""
        return self.context.make_array(self.signature.args[k])(self.context, self.builder, self.arguments[k])

    def part(self, k: int, at: Any) -> Any:
        """Point into an argument that is an array."""
        return self.builder.gep(self.array(k).data, [at])

    def hold(self, x: Any) -> Any:
        """Make a variable, which will be a register."""
        place = cgutils.alloca_once(self.builder, x.type)
        self.builder.store(x, place)
        return place

    def weigh(self, vectors: Vectors, columns: list[Any], sums: list[Any]) -> None:
        """Add the chosen rows' vectors at `columns` to `sums`: begin, end, factors, rows, table come first."""
        builder, (begin, end) = self.builder, self.arguments[:2]
        factors, rows, table = (self.array(k).data for k in (2, 3, 4))
        pitch = cgutils.unpack_tuple(builder, self.array(4).shape)[1]
        with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (t, _):
            factor = vectors.splat(builder.load(builder.gep(factors, [t])))
            row = builder.mul(builder.sext(builder.load(builder.gep(rows, [t])), pitch.type), pitch)
            for total, column in zip(sums, columns, strict=True):
                term = builder.fmul(factor, vectors.whole(builder.gep(table, [builder.add(row, column)])), flags=_FUSE)
                builder.store(builder.fadd(builder.load(total), term, flags=_FUSE), total)

    def weigh_four(self, vectors: Vectors, columns: list[Any], sums: list[list[Any]]) -> None:
        """Add the chosen rows' vectors at `columns` to four lists of sums, by the four factors of each row."""
        builder, (begin, end) = self.builder, self.arguments[:2]
        factors, rows, table = (self.array(k).data for k in (2, 3, 4))
        pitch = cgutils.unpack_tuple(builder, self.array(4).shape)[1]
        with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (t, _):
            row = builder.mul(builder.sext(builder.load(builder.gep(rows, [t])), pitch.type), pitch)
            terms = [vectors.whole(builder.gep(table, [builder.add(row, column)])) for column in columns]
            for g, totals in enumerate(sums):
                place = builder.gep(factors, [builder.add(builder.mul(t, t.type(4)), t.type(g))])
                factor = vectors.splat(builder.load(place))
                for total, term in zip(totals, terms, strict=True):
                    more = builder.fmul(factor, term, flags=_FUSE)
                    builder.store(builder.fadd(builder.load(total), more, flags=_FUSE), total)


_FUSE = ["contract"]  # a product and a sum may be one instruction


@intrinsic
def _add_rows(typing_context, begin, end, factors, rows, table, out, at, width):
    def generate(*call: Any) -> Any:
        each = _Call(*call)
        builder, vectors, place = each.builder, Vectors(each.builder, table.dtype), each.part(5, each.arguments[6])

        def body(columns: list[Any], masks: list[Any]) -> None:
            places = [builder.gep(place, [column]) for column in columns]
            sums = [each.hold(vectors.load(*pair)) for pair in zip(places, masks, strict=True)]
            each.weigh(vectors, columns, sums)
            for total, pair in zip(sums, zip(places, masks, strict=True), strict=True):
                vectors.store(builder.load(total), *pair)

        vectors.over(each.arguments[7], body)
        return each.context.get_dummy_value()

    return _signature(types.intp, types.intp, factors, rows, table, out, types.intp, types.intp), generate


@intrinsic
def _four_sums(typing_context, begin, end, factors, rows, table, out, width):
    def generate(*call: Any) -> Any:
        each = _Call(*call)
        builder, vectors = each.builder, Vectors(each.builder, table.dtype)
        pitch = cgutils.unpack_tuple(builder, each.array(5).shape)[1]

        def body(columns: list[Any], masks: list[Any]) -> None:
            sums = [[each.hold(vectors.type(None)) for _ in columns] for _ in range(4)]
            each.weigh_four(vectors, columns, sums)
            for g, totals in enumerate(sums):
                line = builder.mul(pitch, pitch.type(g))
                for total, column, mask in zip(totals, columns, masks, strict=True):
                    vectors.store(builder.load(total), each.part(5, builder.add(line, column)), mask)

        vectors.over(each.arguments[6], body, FOURFOLD)
        return each.context.get_dummy_value()

    return _signature(types.intp, types.intp, factors, rows, table, out, types.intp), generate


@intrinsic
def _momentum_row(typing_context, begin, end, factors, rows, table, velocity, p, at, width, momentum):
    def generate(*call: Any) -> Any:
        each = _Call(*call)
        builder, vectors, at = each.builder, Vectors(each.builder, table.dtype), each.arguments[7]
        momentum = vectors.splat(each.arguments[9])

        def body(columns: list[Any], masks: list[Any]) -> None:
            states, weights = _places(each, (5, 6), at, columns)
            sums = [each.hold(builder.fmul(momentum, vectors.load(*pair))) for pair in zip(states, masks, strict=True)]
            each.weigh(vectors, columns, sums)
            for total, state, weight, mask in zip(sums, states, weights, masks, strict=True):
                step = builder.load(total)
                vectors.store(step, state, mask)
                vectors.store(builder.fadd(vectors.load(weight, mask), step), weight, mask)

        vectors.over(each.arguments[8], body)
        return each.context.get_dummy_value()

    signature = _signature(
        types.intp, types.intp, factors, rows, table, velocity, p, types.intp, types.intp, table.dtype
    )
    return signature, generate


@intrinsic
def _coast(typing_context, steps, velocity, p, at, width, momentum):
    def generate(*call: Any) -> Any:
        each = _Call(*call)
        builder, vectors = each.builder, Vectors(each.builder, p.dtype)
        momentum = vectors.splat(each.arguments[5])

        def body(columns: list[Any], masks: list[Any]) -> None:
            pairs = list(zip(*_places(each, (1, 2), each.arguments[3], columns), strict=True))
            held = [
                [each.hold(vectors.load(place, mask)) for place in pair]
                for pair, mask in zip(pairs, masks, strict=True)
            ]
            with cgutils.for_range(builder, each.arguments[0]):
                for velocity, p in held:
                    builder.store(builder.fmul(momentum, builder.load(velocity)), velocity)
                    builder.store(builder.fadd(builder.load(p), builder.load(velocity)), p)
            for values, pair, mask in zip(held, pairs, masks, strict=True):
                for value, place in zip(values, pair, strict=True):
                    vectors.store(builder.load(value), place, mask)

        vectors.over(each.arguments[4], body)
        return each.context.get_dummy_value()

    return _signature(types.intp, velocity, p, types.intp, types.intp, p.dtype), generate


@intrinsic
def prefetch(typing_context, array, at):
    """Have the cache line of array[at] brought to the cache; `at` may lie outside."""

    def generate(*call: Any) -> Any:
        each, word, byte = _Call(*call), ir.IntType(32), ir.IntType(8).as_pointer()
        spec = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(each.builder.module, spec, "llvm.prefetch.p0")
        place = each.builder.bitcast(each.part(0, each.arguments[1]), byte)
        each.builder.call(function, [place, word(0), word(3), word(1)])
        return each.context.get_dummy_value()

    return _signature(array, types.intp), generate


def _places(each: _Call, arrays: tuple[int, int], at: Any, columns: list[Any]) -> Iterator[list[Any]]:
    """Point at the columns of two arrays."""
    for k in arrays:
        begin = each.part(k, at)
        yield [each.builder.gep(begin, [column]) for column in columns]


def _signature(*arguments: Any) -> Any:
    return types.void(*arguments)
