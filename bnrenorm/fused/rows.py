"""Sums of chosen rows of a table, and momentum's step by such a sum; for kernels only.

table (M, pitch) of one float dtype with the rest, begins with a cache line and its pitch is a whole number of them:
rows are read to the end of the last line that `width` touches. factors (T,) and rows (T,), integers, are contiguous.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from bnrenorm.fused.vectors import Vectors


@intrinsic
def add_rows(typing_context: Any, count: Any, factors: Any, rows: Any, table: Any, out: Any, width: Any) -> Any:
    """out[:width] += the sum over t < count of factors[t] table[rows[t]]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = Vectors(builder, signature.args[1].dtype)
        out = _data(context, builder, signature, arguments, 4)

        def body(places: list[Any], masks: list[Any]) -> None:
            sums = [_hold(builder, vectors.load(builder.gep(out, [q]), mask)) for q, mask in zip(places, masks, strict=True)]
            _weigh(context, builder, signature, arguments, vectors, places, sums)
            for total, q, mask in zip(sums, places, masks, strict=True):
                vectors.store(builder.load(total), builder.gep(out, [q]), mask)

        vectors.over(arguments[5], body)
        return context.get_dummy_value()

    return types.void(types.intp, factors, rows, table, out, types.intp), generate


@intrinsic
def momentum_row(
    typing_context: Any, count: Any, factors: Any, rows: Any, table: Any, velocity: Any, width: Any, momentum: Any, p: Any
) -> Any:
    """velocity = momentum velocity + the sum over t < count of factors[t] table[rows[t]]; p += velocity."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = Vectors(builder, signature.args[1].dtype)
        velocity, p = (_data(context, builder, signature, arguments, k) for k in (4, 7))
        momentum = vectors.splat(arguments[6])

        def body(places: list[Any], masks: list[Any]) -> None:
            before = [vectors.load(builder.gep(velocity, [q]), mask) for q, mask in zip(places, masks, strict=True)]
            sums = [_hold(builder, builder.fmul(momentum, each)) for each in before]
            _weigh(context, builder, signature, arguments, vectors, places, sums)
            for total, q, mask in zip(sums, places, masks, strict=True):
                _move(builder, vectors, builder.load(total), velocity, p, q, mask)

        vectors.over(arguments[5], body)
        return context.get_dummy_value()

    signature = types.void(types.intp, factors, rows, table, velocity, types.intp, table.dtype, p)
    return signature, generate


@intrinsic
def coast(typing_context: Any, steps: Any, velocity: Any, width: Any, momentum: Any, p: Any) -> Any:
    """Take so many steps of `momentum_row` with sums of nothing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = Vectors(builder, signature.args[1].dtype)
        velocity, p = (_data(context, builder, signature, arguments, k) for k in (1, 4))
        momentum = vectors.splat(arguments[3])

        def body(places: list[Any], masks: list[Any]) -> None:
            held = [
                [_hold(builder, vectors.load(builder.gep(each, [q]), mask)) for each in (velocity, p)]
                for q, mask in zip(places, masks, strict=True)
            ]
            with cgutils.for_range(builder, arguments[0]):
                for v, at in held:
                    builder.store(builder.fmul(momentum, builder.load(v)), v)
                    builder.store(builder.fadd(builder.load(at), builder.load(v)), at)
            for pair, q, mask in zip(held, places, masks, strict=True):
                for value, each in zip(pair, (velocity, p), strict=True):
                    vectors.store(builder.load(value), builder.gep(each, [q]), mask)

        vectors.over(arguments[2], body)
        return context.get_dummy_value()

    return types.void(types.intp, velocity, types.intp, velocity.dtype, p), generate


@intrinsic
def prefetch(typing_context: Any, array: Any, at: Any) -> Any:
    """Have the cache line of array[at] brought to the cache; `at` may lie outside."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(_data(context, builder, signature, arguments, 0), [arguments[1]]), byte)
        builder.call(function, [place, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _data(context: Any, builder: Any, signature: Any, arguments: Any, k: int) -> Any:
    return context.make_array(signature.args[k])(context, builder, arguments[k]).data


def _hold(builder: Any, x: Any) -> Any:
    """Make a variable, which will be a register."""
    place = cgutils.alloca_once(builder, x.type)
    builder.store(x, place)
    return place


def _weigh(
    context: Any, builder: Any, signature: Any, arguments: Any, vectors: Vectors, places: list[Any], sums: list[Any]
) -> None:
    """Add the chosen rows' vectors at `places` to `sums`; the first four arguments are count, factors, rows, table."""
    factors, rows, table = (_data(context, builder, signature, arguments, k) for k in (1, 2, 3))
    shape = context.make_array(signature.args[3])(context, builder, arguments[3]).shape
    pitch = cgutils.unpack_tuple(builder, shape)[1]
    with cgutils.for_range(builder, arguments[0]) as loop:
        factor = vectors.splat(builder.load(builder.gep(factors, [loop.index])))
        row = builder.sext(builder.load(builder.gep(rows, [loop.index])), pitch.type)
        begin = builder.mul(row, pitch)
        for total, q in zip(sums, places, strict=True):
            x = vectors.whole(builder.gep(table, [builder.add(begin, q)]))
            term = builder.fmul(factor, x, flags=["contract"])
            builder.store(builder.fadd(builder.load(total), term, flags=["contract"]), total)


def _move(builder: Any, vectors: Vectors, step: Any, velocity: Any, p: Any, q: Any, mask: Any) -> None:
    """Store the step as the velocity, and take it."""
    vectors.store(step, builder.gep(velocity, [q]), mask)
    at = builder.gep(p, [q])
    vectors.store(builder.fadd(vectors.load(at, mask), step), at, mask)
