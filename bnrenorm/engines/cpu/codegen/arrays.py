"""Views of contiguous arrays in kernels: what slicing and reshape do, without their checks.

A view does not keep its array alive; the caller does.
"""

from typing import Any

from numba import types

from bnrenorm.engines.cpu.codegen.decorators import intrinsic, subroutine
from bnrenorm.engines.cpu.codegen.numba_private import populate_array


@intrinsic
def vector(typing_context: Any, x: Any, offset: Any, n: Any) -> Any:
    """View x.ravel()[offset : offset + n], for a contiguous x of any shape."""
    return types.Array(x.dtype, 1, "C")(x, types.intp, types.intp), _view


@intrinsic
def matrix(typing_context: Any, x: Any, offset: Any, n: Any, width: Any) -> Any:
    """View x.ravel()[offset : offset + n * width] as (n, width), for a contiguous x of any shape."""
    return types.Array(x.dtype, 2, "C")(x, types.intp, types.intp, types.intp), _view


def _view(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    source = context.make_array(signature.args[0])(context, builder, arguments[0])
    view = context.make_array(signature.return_type)(context, builder)
    itemsize = arguments[1].type(signature.return_type.dtype.bitwidth // 8)
    _, offset, *shape = arguments
    strides = [itemsize] if len(shape) == 1 else [builder.mul(shape[1], itemsize), itemsize]
    populate_array(
        view, data=builder.gep(source.data, [offset]), shape=shape, strides=strides, itemsize=itemsize, meminfo=None
    )
    return view._getvalue()


@subroutine
def copy(target, x):
    """Copy x (N, D) into target (N, >= D). Assigning to a slice would bring numba's error messages along."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            target[i, k] = x[i, k]


@subroutine
def zero(x):
    """Set x (D,) to 0."""
    for k in range(len(x)):
        x[k] = 0
