import numpy as np
import pytest
from numpy.testing import assert_array_equal

from bnrenorm.engines.cpu.ops import relu
from tests.engines.cpu.entry import entries

inner = entries(relu)


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_relu_keeps_nan(shape):
    x = np.array([-1, 0, 2, np.nan, np.inf, -np.inf], np.float32).reshape(shape)
    want = np.maximum(x, 0)
    inner.relu(x)
    assert_array_equal(x, want)


def test_the_gradient_is_0_where_the_output_is():
    y, g = np.array([[0.0, 2.0], [-1.0, np.inf]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    inner.relu_backward(g, y)
    assert_array_equal(g, [[0, 6], [0, 8]])
