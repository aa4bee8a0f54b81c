"""ReLU, forward and backward, in place."""

from bnrenorm.engines.cpu.codegen.arrays import vector
from bnrenorm.engines.cpu.codegen.decorators import subroutine


@subroutine
def relu(x):
    """Set what is below 0 to 0; NaN stays. x: any shape, contiguous."""
    flat = vector(x, 0, x.size)
    for i in range(len(flat)):
        if flat[i] < 0:
            flat[i] = 0


@subroutine
def relu_backward(g, y):
    """Set the gradient g to 0 where the ReLU's input or output y, of the same shape, is not positive."""
    g, y = vector(g, 0, g.size), vector(y, 0, g.size)
    for i in range(len(g)):
        if y[i] <= 0:
            g[i] = 0
