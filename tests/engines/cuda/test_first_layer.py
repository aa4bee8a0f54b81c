"""How images meet the first layer's weights: long sums are taken in pieces."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bnrenorm.engines.cuda.first_layer import Floats
from bnrenorm.engines.cuda.rows import SUMMED


@pytest.mark.parametrize(
    ("n", "plain", "want"),
    [(SUMMED, False, ("gradient", 1)), (SUMMED, True, "subtract"), (2 * SUMMED, False, ("gradient", 2)), (2 * SUMMED, True, ("gradient", 2))],
)  # fmt: skip
def test_a_gradient_is_subtracted_at_once_where_it_is_one_sum(n, plain, want):
    """And multiplied by the learning rate before; a sum over more images would be slow, and round more."""
    asked = []
    ops = SimpleNamespace(
        product=lambda *_, ta, of, subtract: asked.append("subtract"),
        gradient=lambda g, x, out: asked.append(("gradient", out.shape[1])),
        update_weights=lambda *_: None,
    )
    ws: Any = SimpleNamespace(weight_gradient=lambda shape, pieces: np.empty((shape[0], pieces, *shape[1:])))
    context: Any = SimpleNamespace(plain=plain, schedule="rates")
    weight: Any = SimpleNamespace(value=np.empty((1, 3, 4)))
    images = Floats(np.empty((n, 4)))
    assert images.form(context) == ({"rates": "rates"} if want == "subtract" else {})
    images.learn(ops, np.empty((1, n, 3)), weight, context, ws)
    assert asked == [want]
