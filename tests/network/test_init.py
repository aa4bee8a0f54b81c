"""Initial weights: their mean, variance and bounds."""

import numpy as np
import pytest

from bnrenorm.config import network
from bnrenorm.network import init

FAN_IN, WIDTH = 300, 200


@pytest.mark.parametrize(("family", "variance"), [("lecun", 1 / 300), ("glorot", 2 / 500), ("he", 2 / 300)])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_scaled_by_the_numbers_of_inputs_and_outputs(family, variance, distribution):
    w = init.draw(network.Scaled(kind=f"{family}_{distribution}"), 0, 0, FAN_IN, WIDTH)  # pyright: ignore
    assert w.shape == (WIDTH, FAN_IN)
    assert w.dtype == np.float32
    assert w.var() == pytest.approx(variance, rel=0.03)
    assert abs(w.mean()) < 4 * np.sqrt(variance / w.size)
    assert (abs(w).max() <= np.sqrt(3 * variance) * 1.000001) == (distribution == "uniform")


def test_with_parameters_of_their_own():
    w = init.draw(network.Normal(kind="normal", mean=1, std=0.1), 0, 0, FAN_IN, WIDTH)
    assert (w.mean(), w.std()) == (pytest.approx(1, abs=0.002), pytest.approx(0.1, rel=0.02))
    w = init.draw(network.Uniform(kind="uniform", min=2, max=3), 0, 0, FAN_IN, WIDTH)
    assert (w.min(), w.max()) == (pytest.approx(2, abs=0.001), pytest.approx(3, abs=0.001))
    assert (init.draw(network.Constant(kind="zeros"), 0, 0, 3, 2) == 0).all()
    assert (init.draw(network.Constant(kind="ones"), 0, 0, 3, 2) == 1).all()
