"""Softmax cross entropy and its gradient against the scalar oracle."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.ops import loss
from tests import oracle
from tests.engines.cpu.entry import entries

inner = entries(loss)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 500])
def test_loss_and_prediction(rng, dtype, scale):
    for label in range(7):
        logits, g = (scale * rng.normal(size=7)).astype(dtype), np.empty(7, dtype)
        log_sum, top, best = inner.softmax_cross_entropy(logits, label, 5, False, g)
        want = oracle.cross_entropy([float(v) for v in logits], label)
        assert log_sum - (logits[label] - top) == pytest.approx(want, rel=1e-5, abs=1e-6)
        assert best == logits.argmax()


@pytest.mark.parametrize("in_place", [True, False])
def test_the_gradient_is_the_central_difference(rng, in_place):
    logits = rng.normal(size=4)
    want = []
    for c in range(4):
        up, down = logits.copy(), logits.copy()
        up[c] += 1e-5
        down[c] -= 1e-5
        want.append((oracle.cross_entropy(list(up), 2) - oracle.cross_entropy(list(down), 2)) / 2e-5 / 3)
    g = logits if in_place else np.empty(4)
    inner.softmax_cross_entropy(logits, 2, 3, True, g)
    assert_allclose(g, want, rtol=1e-6, atol=1e-10)


def test_of_equal_logits_the_first_is_the_prediction():
    for logits, want in (([2.0, 2.0, 2.0], 0), ([1.0, 3.0, 3.0], 1)):
        _, _, best = inner.softmax_cross_entropy(np.array(logits), 0, 5, False, np.empty(3))
        assert best == want == np.argmax(logits)


def test_a_gradient_has_the_same_bits_wherever_it_lies(rng):
    """Else batches of up to three images had other bits on other processors, and soon other accuracies."""
    for _ in range(20):
        logits, found = rng.normal(size=10), set()
        for apart in (10, 20, 30, 1000):
            memory = np.zeros(1010, np.float32)
            memory[:10] = logits
            inner.softmax_cross_entropy(memory[:10], 3, 2, True, memory[apart : apart + 10])
            found.add(memory[apart : apart + 10].tobytes())
        assert len(found) == 1


@pytest.mark.parametrize("classes", [1, 3, 4, 10, 19, 64])
def test_a_sum_has_one_order(rng, classes):
    """Every fourth term of whole fours, these four sums by halves, and what is left."""
    for _ in range(20):
        x = rng.normal(size=classes).astype(np.float32)
        fours = classes // 4 * 4
        a, b, c, d = (functools.reduce(np.add, x[k:fours:4], np.float32(0)) for k in range(4))
        assert inner._sum(x) == functools.reduce(np.add, x[fours:], (a + c) + (b + d))
