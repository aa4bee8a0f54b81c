"""Moments of blocks and the outputs of passes against NumPy, far from zero as well."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.codegen.alignment import aligned, whole_lines
from bnrenorm.engines.cpu.large_batch import blocks
from bnrenorm.engines.cpu.sparse.packed import pack, panel_workspace
from tests import oracle
from tests.engines.cpu.entry import entries

inner = entries(blocks)
N, E, D, C = 300, 40, 7, 4  # blocks of 128, 128 and 44


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("offset", [0, 1000])
def test_relu_and_moments(rng, relu, offset):
    z = rng.normal(offset, 2, (128, D)).astype(np.float32)
    want = np.maximum(z, 0) if relu else z.copy()
    moments = np.empty((3, D), np.float32)
    inner.relu_and_moments(z, relu, moments)
    assert (z == want).all()
    assert_allclose(moments[0], want.mean(axis=0, dtype=float), rtol=1e-6, atol=1e-6)
    assert_allclose(moments[1], want.var(axis=0, dtype=float) * 128, rtol=1e-4)


@pytest.mark.parametrize("relu", [False, True])
def test_what_is_no_number_stays_none_and_shows_in_its_nodes_moments(rng, relu):
    """A network that diverged would go on with 0 otherwise."""
    z = rng.normal(size=(128, D)).astype(np.float32)
    z[5, 2] = np.nan
    moments = np.empty((3, D), np.float32)
    inner.relu_and_moments(z, relu, moments)
    assert np.isnan(z).sum() == np.isnan(z[5, 2]) == 1
    assert np.isnan(moments[:2]).any(axis=0).nonzero()[0].tolist() == [2]


@pytest.mark.parametrize("relu", [False, True])
def test_normalised_rows_are_numbers_where_their_input_is_one(rng, relu):
    h, norm, y = (
        rng.normal(size=(9, D)).astype(np.float32),
        rng.normal(size=(3, D)).astype(np.float32),
        np.empty((9, D)),
    )
    h[5, 2] = np.nan
    inner.normalise_rows(h, norm, relu, y)
    want = (h - norm[0]) * norm[1] + norm[2]
    assert_allclose(y, np.where(want < 0, 0, want) if relu else want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("widest", [1, 15, 60, 64, 65, 128, 400])
@pytest.mark.parametrize("pixels", [E, 784])
def test_a_threads_scratch_holds_a_block_and_a_row_behind_it_and_a_panel_of_weights(widest, pixels):
    scratch = blocks.allocate_scratch(pixels, widest, 2, np.float32)
    assert scratch.shape[1] >= blocks.ROWS * whole_lines(widest) + widest
    assert scratch.shape[1] >= panel_workspace(pixels, widest, np.float32).size


@pytest.mark.parametrize("density", [0.2, 0.9])
@pytest.mark.parametrize(("begin", "end"), [(0, 3), (1, 2), (2, 3)])
def test_the_first_layer_fills_its_own_blocks(rng, density, begin, end):
    images = rng.uniform(0.1, 1, (N, E)).astype(np.float32)
    images[rng.random((N, E)) > density] = 0
    packed = pack(images)
    w, b = aligned(E, 16, np.float32, np.zeros), rng.normal(size=D).astype(np.float32)
    w[:, :D] = rng.normal(size=(E, D))
    h, moments = np.full((N, D), 7, np.float32), np.full((3, 3, D), 7, np.float32)
    (scratch,) = blocks.allocate_scratch(E, D, 1, np.float32)
    blocks.forward_first(packed.fours, w, b, True, h, moments, scratch, begin, end)
    want = np.maximum(images[packed.order] @ w[:, :D] + b, 0)
    for q in range(3):
        rows = slice(128 * q, 128 * (q + 1))
        if begin <= q < end:
            assert_allclose(h[rows], want[rows], rtol=1e-5, atol=1e-5)
            assert_allclose(moments[q, 0], want[rows].mean(axis=0), rtol=1e-5, atol=1e-5)
        else:
            assert (h[rows] == 7).all()
            assert (moments[q] == 7).all()


@pytest.mark.parametrize("learning", [False, True])
def test_the_output_layer(rng, learning):
    h, w, b = (rng.normal(size=shape).astype(np.float32) for shape in ((N, D), (C, D), C))
    norm = rng.uniform(0.5, 1, (3, D)).astype(np.float32)
    labels, order = rng.integers(0, C, N).astype(np.int32), rng.permutation(N)
    g, gw, gb = np.empty((N, C), np.float32), np.zeros((C if learning else 0, D), np.float32), np.zeros(C)
    sums, first_logits = np.zeros(2), np.zeros((5, C), np.float32)
    (scratch,) = blocks.allocate_scratch(E, D, 1, np.float32)
    blocks.output(h, norm, True, w, b, labels, order, g, gw, gb, sums, first_logits, scratch, 0, 3)
    y = np.maximum((h - norm[0]) * norm[1] + norm[2], 0)
    logits = y @ w.T + b
    losses = [oracle.cross_entropy([float(v) for v in row], label) for row, label in zip(logits, labels, strict=True)]
    assert sums[0] == pytest.approx(sum(losses), rel=1e-5)
    assert sums[1] == (logits.argmax(axis=1) == labels).sum()
    for image in range(5):
        assert_allclose(first_logits[image], logits[order == image][0], rtol=1e-4, atol=1e-5)
    if learning:
        softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        want = (softmax - np.eye(C)[labels]) / N
        assert_allclose(g, want, rtol=1e-4, atol=1e-7)
        assert_allclose(gw, want.T @ y, rtol=1e-4, atol=1e-5)
        assert_allclose(gb, want.sum(axis=0), rtol=1e-4, atol=1e-6)
