import numpy as np
import pytest

from bnrenorm.engines.cpu.ops.layout import layout_of
from bnrenorm.engines.cpu.small_batch import workspace
from bnrenorm.engines.spec import spec_of
from tests.helpers import trials_of


@pytest.mark.parametrize("micro_batches", [1, 3])
@pytest.mark.parametrize("widths", [[30, 7, 10], [30, 12, 7, 9, 4]])
def test_arrays_lie_side_by_side_without_overlap(widths, micro_batches):
    (trial,) = trials_of(f"model: {{hidden: {widths[1:-1]}}}", 100)
    layout, n = layout_of(widths, spec_of(trial.settings)), 6
    ws = workspace.allocate(layout, n, micro_batches, np.dtype(np.float32))
    hidden, width, classes = len(widths) - 2, max(widths[1:]), widths[-1]
    spans = [
        (ws.norm_in, hidden * n * width), (ws.out, hidden * n * width), *((g, n * width) for g in ws.g),
        (ws.logits, n * classes), (ws.glogits, n * classes), (ws.stats, hidden * micro_batches * 6 * width),
        (ws.row_stats, hidden * 2 * n), (ws.affine, hidden * 2 * width), *((node, width) for node in ws.nodes),
        (ws.gw, layout.largest),
    ]  # fmt: skip
    ends = np.cumsum([size for _, size in spans])
    assert [begin for begin, _ in sorted(spans)] == [0, *ends[:-1]]
    assert len(ws.flat) == ends[-1]
    assert (ws.flat.dtype, ws.total.dtype, len(ws.total)) == (np.float32, np.float64, width)
