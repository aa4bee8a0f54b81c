"""A network's arrays as kernels take them: the same memory, in the shapes that kernels expect."""

import numpy as np
import pytest

from bnrenorm._compat import chainer
from bnrenorm.engines.cuda.parameters import copies_of, layers_of, vectors_of
from bnrenorm.engines.replicas import Replicas
from bnrenorm.engines.spec import spec_of
from bnrenorm.network import mlp
from bnrenorm.network.schedule import AFFINE_LR, LR
from tests.helpers import trials_of

STATES = {
    "sgd": (None, None),
    "momentum_sgd": ("v", None),
    "adam": ("m", "v"),
    "rmsprop": (None, "ms"),
}
WIDTHS = (7, 5, 3, 10)


def replicas_of(kind="momentum_sgd", norm="{kind: batch}", average="null"):
    text = f"""
model: {{hidden: [5, 3]}}
norm: {norm}
training: {{optimizer: {{kind: {kind}}}}}
evaluation: {{average: {average}}}
seeds: 2
"""
    trials = trials_of(text, 100)
    return Replicas(trials, mlp.build(trials, 7), chainer.get_device("@numpy"))


def is_view(view, array, *shape):
    """Tell whether a view has the numbers of an array, in the same memory."""
    return view.shape == shape and view.size == array.size and view.ctypes.data == array.ctypes.data


@pytest.mark.parametrize("average", ["null", "0.9"])
@pytest.mark.parametrize("kind", STATES)
def test_layers_are_views_of_the_networks_arrays(kind, average):
    replicas = replicas_of(kind, average=average)
    network, averages = replicas.network, replicas.average.arrays

    def check(tensor, path, parameter, *shape):
        assert is_view(tensor.value, parameter.array, *shape)
        for view, name in zip(tensor[1:3], STATES[kind], strict=True):
            assert view is None if name is None else is_view(view, parameter.update_rule.state[name], *shape)
        assert tensor.average is None if average == "null" else is_view(tensor.average, averages[path], *shape)

    layers = layers_of(replicas)
    assert len(layers) == 3
    for depth, (layer, linear) in enumerate(zip(layers, network.linears, strict=True)):
        inputs, nodes = WIDTHS[depth : depth + 2]
        check(layer.weight, f"/linears/{depth}/W", linear.W, 2, nodes, inputs)
        check(layer.bias, f"/linears/{depth}/b", linear.b, 2, nodes)
        if depth < 2:
            norm = network.norms[depth]
            check(layer.gamma, f"/norms/{depth}/affine/gamma", norm.affine.gamma, 2, nodes)
            check(layer.beta, f"/norms/{depth}/affine/beta", norm.affine.beta, 2, nodes)
            assert is_view(layer.run[0], norm.run_mean, 2, nodes)
            assert is_view(layer.run[1], norm.run_scale, 2, nodes)
    assert layers[-1][2:] == (None, None, None)
    assert layers[-1].affine() == (None, None)


@pytest.mark.parametrize(
    ("norm", "length", "runs"),
    [("{kind: batch, affine: layer}", 1, True), ("{kind: batch, affine: none}", None, True), ("{kind: layer}", 5, False), ("{kind: none}", None, False)],
)  # fmt: skip
def test_layers_have_what_their_normalisation_has(norm, length, runs):
    layer = layers_of(replicas_of(norm=norm))[0]
    assert (layer.run is not None) == runs
    for tensor in (layer.gamma, layer.beta):
        assert (tensor is None) if length is None else tensor.value.shape == (2, length)


def test_gamma_and_beta_are_given_as_they_are_or_averaged():
    layer = layers_of(replicas_of(average="0.9"))[0]
    assert layer.affine()[0] is layer.gamma.value
    assert layer.affine()[1] is layer.beta.value
    assert layer.affine(averaged=True)[0] is layer.gamma.average
    assert layer.affine(averaged=True)[1] is layer.beta.average


def test_copies_share_only_the_first_layers_weights_and_the_running_statistics():
    layers = layers_of(replicas_of())
    copies = copies_of(layers)
    for depth, (copy, layer) in enumerate(zip(copies, layers, strict=True)):
        assert np.shares_memory(copy.weight.value, layer.weight.value) == (depth == 0)
        assert copy.run is layer.run
        for own, tensor in zip(copy[:4], layer[:4], strict=True):
            if tensor is not None:
                assert (own.value == tensor.value).all()
                assert own[1:] == (None, None, None)
                assert own is copy.weight or not np.shares_memory(own.value, tensor.value)
            else:
                assert own is None


@pytest.mark.parametrize(
    ("norm", "pairs", "divisors"),
    [
        ("{kind: batch}", 2, [1, 1]),
        ("{kind: batch, affine: layer}", 2, [1, 1]),
        ("{kind: batch, affine: layer, affine_gradient: mean}", 2, [5, 3]),
        ("{kind: batch, affine: node, affine_gradient: mean}", 2, [1, 1]),
        ("{kind: batch, affine: none}", 0, []),
        ("{kind: none}", 0, []),
    ],
)
def test_vectors_are_all_biases_gammas_and_betas_with_their_gradients(norm, pairs, divisors):
    replicas = replicas_of(norm=norm)
    layers = layers_of(replicas)
    biases = [np.zeros((2, 4, width)) for width in WIDTHS[1:]]
    gradients = [(np.zeros((2, width)), np.zeros((2, width))) for width in WIDTHS[1:-1]]
    vectors = vectors_of(layers, spec_of(replicas.settings), biases, gradients)
    assert len(vectors) == 3 + 2 * pairs
    for vector, layer, gradient in zip(vectors[:3], layers, biases, strict=True):
        assert vector == (layer.bias, gradient, LR, 1)
    for depth in range(pairs):
        own = vectors[3 + 2 * depth :][:2]
        for vector, tensor, gradient in zip(
            own, (layers[depth].gamma, layers[depth].beta), gradients[depth], strict=True
        ):
            assert vector.tensor is tensor
            assert is_view(vector.gradient, gradient, 2, 1, WIDTHS[depth + 1])
            assert (vector.column, vector.divisor) == (AFFINE_LR, divisors[depth])
