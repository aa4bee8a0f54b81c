import numpy as np
import pytest

from bnrenorm.engines.cpu.ops.layout import AFFINE, FAN_IN, RUN, WIDTH, B, W, layout_of
from bnrenorm.engines.spec import spec_of
from tests.helpers import trials_of


def layout(affine):
    (trial,) = trials_of(f"norm: {{kind: batch, affine: {affine}}}", 100)
    return layout_of([784, 100, 20, 10], spec_of(trial.settings))


@pytest.mark.parametrize(("affine", "values"), [("node", (200, 40)), ("layer", (2, 2)), ("none", (0, 0))])
def test_parameters_stand_side_by_side_without_gaps_or_overlap(affine, values):
    found = layout(affine)
    assert found.pitch == 112  # 100 float32 values are seven cache lines
    spans, last = [], len(found.layers) - 1
    for depth, layer in enumerate(found.layers):
        outputs = layer[WIDTH] if depth else found.pitch
        spans += [(layer[W], layer[FAN_IN] * outputs), (layer[B], layer[WIDTH])]
        if depth < last and values[depth]:
            spans.append((layer[AFFINE], values[depth]))
        else:
            assert layer[AFFINE] == -1
    ends = np.cumsum([size for _, size in spans])
    assert [begin for begin, _ in spans] == [0, *ends[:-1]]
    assert list(found.layers[:, RUN]) == [0, 200, 240]
    assert (found.widest, found.largest) == (100, 784 * 112)


@pytest.mark.parametrize(
    ("widths", "widest", "largest"),
    [([20, 30, 50, 10], 50, 30 * 50), ([9, 5, 40], 40, 5 * 40), ([9, 8, 10], 10, 9 * 16)],
)
def test_any_layer_may_be_the_widest_and_the_largest(widths, widest, largest):
    """Kernels have memory for so many values, and do not look whether they write behind it."""
    (trial,) = trials_of("", 100)
    found = layout_of(widths, spec_of(trial.settings))
    assert (found.widest, found.largest) == (widest, largest)
