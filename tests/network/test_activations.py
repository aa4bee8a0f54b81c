"""Activations against their definitions and numerical slopes, and where the definitions overflow."""

import numpy as np
import pytest

from bnrenorm._compat import F, chainer
from bnrenorm.network import activations
from tests.oracle import ArticleLearner


@pytest.mark.parametrize("name", [*activations._PLAIN, "leaky_relu"])
def test_values_and_slopes_are_the_definitions(rng, name):
    function = activations.leaky_relu(np.array([0.2])) if name == "leaky_relu" else activations._PLAIN[name]
    learner = ArticleLearner([np.ones((1, 1))], rate=1, activation=name, alpha=0.2)
    x = chainer.Variable(rng.normal(size=(1, 50, 3)))
    x.array[0, 0] = 0  # at which the step and the slopes of the ReLUs are those of x < 0
    y = function(x)
    F.sum(y).backward()
    np.testing.assert_allclose(y.array, learner.function(x.array), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(x.grad, learner.derivative(x.array), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("name", "ends"), [("softplus", (0, 1e4)), ("sigmoid", (0, 1)), ("softsign", (-1, 1))])
def test_nothing_overflows(name, ends):
    y = activations._PLAIN[name](np.array([[[-1e4, 1e4]]], np.float32)).array
    assert y.ravel() == pytest.approx(ends, abs=2e-4)


def test_every_replica_has_its_own_alpha():
    y = activations.leaky_relu(np.array([0.1, 0.3]))(chainer.Variable(np.full((2, 1, 1), -1, np.float32)))
    assert y.array.ravel() == pytest.approx([-0.1, -0.3])
