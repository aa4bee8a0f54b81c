"""Scratch of a pass: shapes, what shares memory, and how much it is."""

import numpy as np
import pytest

from bnrenorm.engines.cuda.rows import divide
from bnrenorm.engines.cuda.workspace import Workspace, bytes_of
from bnrenorm.engines.spec import BATCH, LAYER, NONE
from tests.engines.cuda.kernels.cases import kernel_spec

R, N, WIDTHS = 3, 600, (7, 5, 4, 10)


def workspace(norm=BATCH, group=300, *, drops=False, learning=True, widths=WIDTHS):
    return Workspace(np, np.float32, R, widths, divide(N, group), kernel_spec(norm), drops=drops, learning=learning)


def test_arrays_are_of_every_layer():
    ws = workspace()  # two groups of two pieces
    assert [array.shape for array in (*ws.a, *ws.y, ws.logits)] == [(3, 600, 5), (3, 600, 4)] * 2 + [(3, 600, 10)]
    assert [array.shape for array in ws.stats] == [(3, 2, 6, 5), (3, 2, 6, 4)]
    assert [array.shape for array in ws.coef] == [(3, 2, 3, 5), (3, 2, 3, 4)]
    assert [array.shape for array in ws.bias] == [
        (3, 4, 5),
        (3, 4, 4),
        (3, 3, 10),
    ]  # the output's pieces are of the batch
    assert [array.shape for pair in ws.affine for array in pair] == [(3, 5)] * 2 + [(3, 4)] * 2
    assert (ws.losses.shape, ws.losses.dtype) == ((3, 3, 2), np.float64)
    assert (ws.right.shape, ws.right.dtype) == ((3, 600), np.uint8)
    assert ws.row_stats == [None, None]


def test_layer_normalisation_has_statistics_of_rows():
    ws = workspace(LAYER, 0)
    assert [array.shape for array in ws.row_stats] == [(3, 600, 2)] * 2
    assert ws.row_sums.shape == (3, 600, 2)
    assert ws.stats == ws.coef == [None, None]


@pytest.mark.parametrize(("norm", "drops", "changed"), [(NONE, False, False), (NONE, True, True), (BATCH, False, True)])
def test_outputs_are_the_inputs_where_nothing_changes_them(norm, drops, changed):
    ws = workspace(norm, drops=drops)
    assert all(np.shares_memory(a, y) != changed for a, y in zip(ws.a, ws.y, strict=True))


def test_the_gradients_of_neighbouring_layers_share_no_memory():
    ws = workspace(widths=(7, 5, 4, 6, 10))
    gradients = [ws.gradient(depth) for depth in range(3)]
    assert [g.shape for g in gradients] == [a.shape for a in ws.a]
    assert all(g.flags.c_contiguous for g in gradients)
    assert not np.shares_memory(gradients[0], gradients[1])
    assert not np.shares_memory(gradients[1], gradients[2])
    assert ws.weight_gradient((3, 10, 6)).shape == (3, 1, 10, 6)
    assert ws.weight_gradient((3, 5, 7)).flags.c_contiguous


def test_moments_of_a_narrow_layer_are_contiguous():
    moments = workspace().moments_of(4)
    assert moments.shape == (3, 4, 2, 4)
    assert moments.flags.c_contiguous


def test_a_pass_without_learning_has_no_gradients():
    ws = workspace(learning=False)
    assert not {"bias", "affine", "coef", "_g", "_weights"} & vars(ws).keys()
    assert workspace(NONE, learning=False).moments_of(5) is None


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("norm", [NONE, BATCH, LAYER])
@pytest.mark.parametrize("group", [0, 4])
@pytest.mark.parametrize("widths", [WIDTHS, (7, 5, 10)])
def test_the_bytes_of_a_replica_are_those_of_its_arrays(widths, group, norm, learning):
    def arrays(value):
        return [value] if isinstance(value, np.ndarray) else [array for part in value for array in arrays(part)]

    ws = workspace(norm, group, learning=learning, widths=widths)
    parts = [value for value in vars(ws).values() if isinstance(value, np.ndarray | list)]
    parts = [[part for part in value if part is not None] if isinstance(value, list) else value for value in parts]
    taken = {id(array): array.nbytes for array in arrays(parts)}
    rows = divide(N, group)
    assert R * bytes_of(np.float32, widths, rows, kernel_spec(norm), drops=False, learning=learning) == sum(
        taken.values()
    )
