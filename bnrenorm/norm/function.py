"""Batch (re)normalisation as a differentiable Chainer Function."""

from typing import Any

from bnrenorm._compat import chainer
from bnrenorm.norm import formulas

Array = Any


def renormalise(x: Any, gamma: Any, beta: Any, mean: Array, std: Array, r: Array, d: Array) -> Any:
    """Return gamma ((x - mean) / std * r + d) + beta as a Variable (R, N, D). [BRN17, Alg. 1]

    x (R, N, D), gamma and beta (R, 1, D) are Variables of one dtype. mean and std, the moments of x, and r and d are
    arrays (R, 1, D). The gradient of x includes the dependence of mean and std on x; r and d are constants.
    Raises RuntimeError when differentiated twice.
    """
    return _Renormalise(mean, std, r, d).apply((x, gamma, beta))[0]


class _Renormalise(chainer.FunctionNode):
    def __init__(self, mean: Array, std: Array, r: Array, d: Array):
        super().__init__()
        self.constants = (mean, std, r, d)

    def check_type_forward(self, in_types: Any) -> None:
        type_check = chainer.utils.type_check
        x, gamma, beta = in_types
        type_check.expect(
            x.ndim == 3,
            x.dtype.kind == "f",
            gamma.dtype == x.dtype,
            gamma.shape[0] == x.shape[0],
            gamma.shape[2] == x.shape[2],
            beta.dtype == x.dtype,
            beta.shape == gamma.shape,
        )

    def forward(self, inputs: tuple[Array, ...]) -> tuple[Array]:
        self.retain_inputs((0, 1))
        x, gamma, beta = inputs
        return (formulas.forward(x, gamma, beta, *self.constants),)

    def backward(self, indexes: tuple[int, ...], grad_outputs: tuple[Any]) -> tuple[Any, ...]:
        x, gamma = self.get_retained_inputs()
        gradients = _Gradient(self.constants).apply((grad_outputs[0], x, gamma))
        return tuple(gradients[i] for i in indexes)


class _Gradient(chainer.FunctionNode):
    def __init__(self, constants: tuple[Array, ...]):
        super().__init__()
        self.constants = constants

    def forward(self, inputs: tuple[Array, ...]) -> tuple[Array, Array, Array]:
        gy, x, gamma = inputs
        return formulas.backward(gy, x, gamma, *self.constants)

    def backward(self, indexes: tuple[int, ...], grad_outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        raise RuntimeError("bnrenorm's normalisation has no second derivative; Chainer's BatchNormalization has one")
