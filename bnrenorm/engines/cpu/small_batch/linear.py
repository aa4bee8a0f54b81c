"""The linear layers above the first, forward."""

from bnrenorm.engines.cpu.codegen import blas
from bnrenorm.engines.cpu.codegen.arrays import matrix, vector
from bnrenorm.engines.cpu.codegen.decorators import cached_subroutine, subroutine
from bnrenorm.engines.cpu.ops.layout import FAN_IN, WIDTH, B, W
from bnrenorm.engines.cpu.small_batch.workspace import activations

_FEW_ROWS = 8  # up to which packing the weights costs BLAS more than the product itself
_UNPACKED = 900_000  # multiplications up to which OpenBLAS packs nothing


@cached_subroutine
def forward_layer(depth, n, layout, p, ws, y):
    """Set y (n, K) = x W^T + b for the linear layer at `depth` >= 1; x is the output of the layer below, in ws.out."""
    fan_in, width = layout.layers[depth, FAN_IN], layout.layers[depth, WIDTH]
    w, b = matrix(p, layout.layers[depth, W], width, fan_in), vector(p, layout.layers[depth, B], width)
    forward(activations(ws, ws.out, depth - 1, n, fan_in), w, b, y)


@subroutine
def forward(x, w, b, y):
    """Set y = x w^T + b: x (N, D), w (K, D), b (K,), y (N, K), of one float dtype and contiguous."""
    n, depth = x.shape
    width = w.shape[0]
    chunk = width if n > _FEW_ROWS else max(16, _UNPACKED // (n * depth) // 16 * 16)
    for begin in range(0, width, chunk):
        blas.forward(x, w[begin : begin + chunk], y[:, begin:], width)
    for i in range(n):
        for k in range(width):
            y[i, k] += b[k]
