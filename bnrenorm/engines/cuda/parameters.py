"""A network's parameters, optimizer states, averages and running statistics as kernels take them: views, no copies."""

from typing import Any, NamedTuple

from bnrenorm.engines.replicas import Replicas
from bnrenorm.engines.spec import EXP_AVG, EXP_AVG_SQ, FIXED, NODE, KernelSpec
from bnrenorm.network.schedule import AFFINE_LR, LR

Array = Any


class Tensor(NamedTuple):
    """A parameter (R, ...) with its optimizer states and its moving average, None where there is none."""

    value: Array
    exp_avg: Array  # velocity of momentum, first moment of Adam
    exp_avg_sq: Array  # second moment of Adam and RMSprop
    average: Array


class Vector(NamedTuple):
    """A bias, gamma or beta (R, length), and its gradient (R, pieces, K), to be summed over the pieces.

    With length 1 it is summed over the nodes too, and divided by `divisor`. `column`: LR or AFFINE_LR.
    """

    tensor: Tensor
    gradient: Array
    column: int
    divisor: int = 1


class Layer(NamedTuple):
    """A linear layer with its normalisation. W (R, K, D), b (R, K); gamma and beta (R, K) or (R, 1), None if fixed.

    run: running mean and scale (R, K), None without batch normalisation.
    """

    weight: Tensor
    bias: Tensor
    gamma: Tensor | None
    beta: Tensor | None
    run: tuple[Array, Array] | None

    def affine(self, *, averaged: bool = False) -> tuple[Array | None, Array | None]:
        """Return the values of gamma and beta, or their moving averages."""
        if self.gamma is None or self.beta is None:
            return None, None
        return (self.gamma.average, self.beta.average) if averaged else (self.gamma.value, self.beta.value)


def layers_of(replicas: Replicas) -> list[Layer]:
    """Return the layers of a group's network, the output layer last."""
    network, kind = replicas.network, replicas.settings.training.optimizer.kind

    def tensor(path: str, parameter: Any, axes: int) -> Tensor:
        def view(array: Array | None) -> Array | None:
            return array if array is None or array.ndim == axes else array.reshape(len(array), -1)

        states = parameter.update_rule.state
        exp_avg, exp_avg_sq = (states[slots[kind]] if kind in slots else None for slots in (EXP_AVG, EXP_AVG_SQ))
        arrays = parameter.array, exp_avg, exp_avg_sq, replicas.average.arrays.get(path)
        return Tensor(*(view(array) for array in arrays))

    layers = []
    for depth, linear in enumerate(network.linears):
        norm: Any = network.norms[depth] if depth < len(network.norms) else None
        gamma = beta = run = None
        if norm is not None and norm.affine.per != "none":
            paths = (f"/norms/{depth}/affine/{name}" for name in ("gamma", "beta"))
            gamma, beta = map(tensor, paths, (norm.affine.gamma, norm.affine.beta), (2, 2))
        if norm is not None and norm in network.batch_norms:
            run = tuple(array.reshape(len(array), -1) for array in (norm.run_mean, norm.run_scale))
        weight, bias = tensor(f"/linears/{depth}/W", linear.W, 3), tensor(f"/linears/{depth}/b", linear.b, 2)
        layers.append(Layer(weight, bias, gamma, beta, run))
    return layers


def copies_of(layers: list[Layer]) -> list[Layer]:
    """Return the layers with copies of all parameters but the first layer's weights, and without optimizer states.

    The running statistics are the layers' own.
    """

    def copy(tensor: Tensor) -> Tensor:
        return Tensor(tensor.value.copy(), None, None, None)

    copies = []
    for depth, (weight, bias, gamma, beta, run) in enumerate(layers):
        kept = copy(weight) if depth else Tensor(weight.value, None, None, None)
        affine = None if gamma is None else copy(gamma), None if beta is None else copy(beta)
        copies.append(Layer(kept, copy(bias), *affine, run))
    return copies


def vectors_of(
    layers: list[Layer], spec: KernelSpec, biases: list[Array], gradients: list[tuple[Array, Array]]
) -> list[Vector]:
    """Return all biases, gammas and betas with their gradients.

    biases: per layer (R, pieces, K); gradients: of gamma and beta per hidden layer, (R, K) per node.
    """
    vectors = [Vector(layer.bias, gradient, LR) for layer, gradient in zip(layers, biases, strict=True)]
    if spec.affine != FIXED:
        for layer, pair in zip(layers, gradients, strict=False):
            if layer.gamma is None or layer.beta is None:
                continue
            divisor = pair[0].shape[1] if spec.affine != NODE and spec.mean_gradient else 1
            tensors = (layer.gamma, layer.beta)
            vectors += [Vector(t, g[:, None], AFFINE_LR, divisor) for t, g in zip(tensors, pair, strict=True)]
    return vectors
