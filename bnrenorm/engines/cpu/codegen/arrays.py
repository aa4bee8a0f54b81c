"""Parts of contiguous arrays, for kernels: what slices and reshape do, without their checks.

A view does not keep its array alive: the caller does."""

from typing import Any

from numba.core import types
from numba.np.arrayobj import populate_array

from bnrenorm.engines.cpu.codegen.decorators import inlined, intrinsic


@intrinsic
def vector(typing_context: Any, x: Any, at: Any, n: Any) -> Any:
    """View n numbers of x, whatever its shape, from its number `at`."""
    return types.Array(x.dtype, 1, "C")(x, types.intp, types.intp), _view


@intrinsic
def matrix(typing_context: Any, x: Any, at: Any, n: Any, width: Any) -> Any:
    """View numbers of x, whatever its shape, from its number `at`, as (n, width)."""
    return types.Array(x.dtype, 2, "C")(x, types.intp, types.intp, types.intp), _view


def _view(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    source = context.make_array(signature.args[0])(context, builder, arguments[0])
    found = context.make_array(signature.return_type)(context, builder)
    size = arguments[1].type(signature.return_type.dtype.bitwidth // 8)
    _, at, *shape = arguments
    strides = [size] if len(shape) == 1 else [builder.mul(shape[1], size), size]
    populate_array(
        found, data=builder.gep(source.data, [at]), shape=shape, strides=strides, itemsize=size, meminfo=None
    )  # fmt: skip
    return found._getvalue()


@inlined
def copy(to, x):
    """Copy a 2-D array into another, without what numba brings along for its error messages."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):  # rows of `to` may be longer
            to[i, k] = x[i, k]


@inlined
def zero(x):
    """Set a 1-D array to 0."""
    for k in range(len(x)):
        x[k] = 0
