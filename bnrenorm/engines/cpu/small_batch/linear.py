"""The linear layers above the first: x (N, D), w (K, D), b (K,), y and gy (N, K), of one float dtype and contiguous.

Small products have the same bits on every processor (`codegen.products`); large ones are BLAS's, which is quicker.
"""

from bnrenorm.engines.cpu.codegen import blas
from bnrenorm.engines.cpu.codegen.arrays import matrix, vector
from bnrenorm.engines.cpu.codegen.decorators import cached_subroutine, subroutine
from bnrenorm.engines.cpu.codegen.products import DOTS, dots, weigh_rows
from bnrenorm.engines.cpu.ops.layout import FAN_IN, WIDTH, B, W
from bnrenorm.engines.cpu.small_batch.workspace import activations

_FEW_ROWS = 8  # up to which BLAS takes as long with AVX-512, and up to four times as long with AVX2, whatever the width
_SMALL = 2_000_000  # multiplications up to which it is no more than twice as quick


@cached_subroutine
def forward_layer(depth, n, layout, p, ws, y):
    """Set y (n, K) = x W^T + b for the linear layer at `depth` >= 1; x is the output of the layer below, in ws.out."""
    fan_in, width = layout.layers[depth, FAN_IN], layout.layers[depth, WIDTH]
    w, b = matrix(p, layout.layers[depth, W], width, fan_in), vector(p, layout.layers[depth, B], width)
    forward(activations(ws, ws.out, depth - 1, n, fan_in), w, b, y)


@subroutine
def _is_small(n, w):
    """Tell whether a product of n rows with w is our own: alike for all processors, or their bits would differ."""
    return n <= _FEW_ROWS or n * w.size <= _SMALL


@subroutine
def forward(x, w, b, y):
    """Set y = x w^T + b."""
    n, width = y.shape
    if _is_small(n, w):
        for k in range(0, width, 4):
            for i in range(0, n, DOTS):
                dots(x, i, w, k, y)
    else:
        blas.forward(x, w, y, width)
    for i in range(n):
        for k in range(width):
            y[i, k] += b[k]


@subroutine
def backward_input(gy, w, gx):
    """Set gx (N, D) = gy w."""
    n, width = gy.shape
    if _is_small(n, w):
        for i in range(0, n, 4):
            weigh_rows(gy, width, 1, w, gx, i)
    else:
        blas.backward_input(gy, w, gx)


@subroutine
def backward_weight(gy, x, gw):
    """Set gw (K, D) = gy^T x."""
    n, width = gy.shape
    if _is_small(n, gw):
        for k in range(0, width, 4):
            weigh_rows(gy, 1, width, x, gw, k)
    else:
        blas.backward_weight(gy, x, gw, 0)
