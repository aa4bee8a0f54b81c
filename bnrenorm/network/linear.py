"""Fully connected layers of stacked replicas."""

from typing import Any

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.network.products import product

Array = Any


def stacked_linear(x: Any, W: Any, b: Any) -> Any:
    """Return x W^T + b for each replica, a Variable (R, N, K).

    x is (R, N, D), or (N, D) if all replicas share it; W is (R, K, D) and b (R, 1, K). Each replica has its own matrix
    product, so that on a CPU its numbers do not depend on the number of replicas; on a GPU cuBLAS chooses how to
    multiply by the size of the whole problem. Raises RuntimeError when differentiated twice.
    """
    return _StackedLinear().apply((x, W, b))[0]


class _StackedLinear(chainer.FunctionNode):
    def check_type_forward(self, in_types: Any) -> None:
        type_check = chainer.utils.type_check
        x, w, b = in_types
        type_check.expect(w.ndim == 3, b.ndim == 3, x.dtype == w.dtype, b.dtype == w.dtype)
        type_check.expect(x.shape[-1] == w.shape[2], b.shape[0] == w.shape[0], b.shape[2] == w.shape[1])

    def forward(self, inputs: tuple[Array, ...]) -> tuple[Array]:
        self.retain_inputs((0, 1))
        x, w, b = inputs
        y = product(x, w, transpose_b=True)
        y += b
        return (y,)

    def backward(self, indexes: tuple[int, ...], grad_outputs: tuple[Any]) -> tuple[Any, ...]:
        x, w = self.get_retained_inputs()
        gradients = _Gradient(indexes).apply((grad_outputs[0], x, w))
        return tuple(gradients)


class _Gradient(chainer.FunctionNode):
    def __init__(self, indexes: tuple[int, ...]):
        super().__init__()
        self.indexes = indexes  # inputs that need a gradient: images do not, which saves the largest product

    def forward(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        gy, x, w = inputs
        results = []
        for index in self.indexes:
            if index == 0:
                gx = product(gy, w)
                results.append(gx if x.ndim == 3 else gx.sum(axis=0))
            elif index == 1:
                results.append(product(gy, x, transpose_a=True))
            else:
                results.append(gy.sum(axis=1, keepdims=True))
        return tuple(results)

    def backward(self, indexes: tuple[int, ...], grad_outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        raise RuntimeError("bnrenorm's stacked layers have no second derivative")


class StackedLinear(chainer.Link):
    """R independent linear layers. Learned: W (R, K, D), initially `weights`, and b (R, 1, K), initially 0."""

    def __init__(self, weights: np.ndarray):
        super().__init__()
        replicas, width, _ = weights.shape
        with self.init_scope():
            self.W = chainer.Parameter(weights)
            self.b = chainer.Parameter(np.zeros((replicas, 1, width), np.float32))

    def forward(self, x: Any) -> Any:
        """Map a Variable or array (R, N, D), or (N, D) shared by all replicas, to a Variable (R, N, K)."""
        return stacked_linear(x, self.W, self.b)
