"""A tiny kernel that needs everything private that the kernels use of numba: if it works, they will."""

import numpy as np

from bnrenorm.engines.cpu.codegen import blas
from bnrenorm.engines.cpu.codegen.alignment import aligned
from bnrenorm.engines.cpu.codegen.arrays import matrix, vector
from bnrenorm.engines.cpu.codegen.decorators import cached_subroutine, kernel, view
from bnrenorm.engines.cpu.codegen.denormals import flush, restore
from bnrenorm.engines.cpu.codegen.row_sums import add_fours

_X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
# Written out: NumPy's products warn of divisions by zero, wrongly, on ARM processors with SME.
_WANT_OUT, _WANT_PRODUCT = [13.0, 20.0], [[5.0, 11.0], [11.0, 25.0]]


def run() -> None:
    """Run the kernel and check its result. Raises whatever numba raises, or ArithmeticError for a wrong result.

    The first call of a kernel also initialises numba's lazy parts, before other threads compete for the GIL. Compiled
    code is cached for one version of numba, so that another one compiles the kernel anew.
    """
    table = aligned(2, 16, np.float32, np.zeros)
    table[:, :2] = _X
    factors = np.repeat(_X[1, :, None], 4, axis=1)
    out, product = np.zeros(2, np.float32), np.zeros((2, 2), np.float32)
    _probe(_X, factors, np.array([1, 0], np.int32), table, out, product)
    if out.tolist() != _WANT_OUT or product.tolist() != _WANT_PRODUCT:
        raise ArithmeticError(f"expected {_WANT_OUT} and {_WANT_PRODUCT}, got {out.tolist()} and {product.tolist()}")


@kernel
def _probe(x, factors, rows, table, out, product):
    """Add table rows by factors (2, 4) to out (2,); set product (2, 2) to x x^T: x (2, 2), rows (2,)."""
    before = flush()
    add_fours(0, 2, factors, rows, table, vector(out, 0, 2), 0, 0, 0, 0, 2)
    _multiply(_whole(x), product)
    restore(before)


@view
def _whole(x):
    return matrix(x, 0, 2, 2)


@cached_subroutine
def _multiply(x, product):
    blas.forward(x, x, product, 2)
