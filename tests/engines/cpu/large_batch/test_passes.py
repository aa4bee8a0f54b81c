"""Moments of all rows from those of blocks, on any number of threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.large_batch.folded_norm import FoldedNorm
from bnrenorm.engines.cpu.large_batch.passes import Passes
from bnrenorm.engines.cpu.ops.layout import AFFINE, layout_of
from bnrenorm.engines.cpu.sparse.packed import pack
from bnrenorm.engines.spec import spec_of
from tests.helpers import trials_of


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("order", ["linear-activation-norm", "linear-norm-activation"])
def test_every_layers_input_of_the_norm_and_its_moments(rng, workers, order):
    (trial,) = trials_of(f"model: {{hidden: [6, 4], order: {order}}}", 100)
    spec = spec_of(trial.settings)
    layout = layout_of([30, 6, 4, 10], spec)
    images = rng.uniform(0, 1, (300, 30)).astype(np.float32)
    images[rng.random(images.shape) < 0.8] = 0
    packed, labels = pack(images), rng.integers(0, 10, 300).astype(np.int32)
    passes = Passes(300, images.dtype, spec, layout, workers).take(packed, labels)
    p = rng.normal(size=2000).astype(np.float32)
    gamma, beta = rng.normal(size=(2, 6)).astype(np.float32)
    seen = []

    def normalise(depth, mean, var):
        seen.append((mean, var))
        mean, std, one = np.float32(mean), np.sqrt(var + 1e-3).astype(np.float32), np.ones_like(mean, np.float32)
        width = len(mean)
        return FoldedNorm(spec, mean, std, one, 0 * one, gamma[:width], beta[:width])

    with ThreadPoolExecutor(workers) as pool:
        passes.forward(pool, p, normalise)
    x = images[packed.order].astype(float)
    for depth in range(2):
        w, b = passes.linear(p, depth)
        h = x @ (w if depth else w[:, :6].T).T.astype(float) + b
        if not spec.norm_first:
            h = np.maximum(h, 0)
        mean, var = h.mean(axis=0), h.var(axis=0)
        assert_allclose(passes.h[depth], h, rtol=1e-4, atol=1e-5)
        assert_allclose(seen[depth][0], mean, rtol=1e-5, atol=1e-6)
        assert_allclose(seen[depth][1], var, rtol=1e-4)
        width = len(mean)
        y = (h - mean) / np.sqrt(var + 1e-3) * gamma[:width] + beta[:width]
        x = np.maximum(y, 0) if spec.norm_first else y
    assert (passes.labels == labels[packed.order]).all()


def test_the_squares_of_many_blocks_are_summed_in_float64():
    """One block with 2^24 of them and 300 with 1 each, which float32 would not add to it; the last has 5 rows."""
    (trial,) = trials_of("model: {hidden: [6]}", 100)
    spec = spec_of(trial.settings)
    passes = Passes(1, np.float32, spec, layout_of([30, 6, 10], spec), 1)
    passes.blocks, passes.rows = 301, 300 * 128 + 5
    moments = np.full((301, 3, 6), 2, np.float32)  # every block's mean is 2
    moments[:, 1] = 1
    moments[0, 1] = 2**24
    mean, var = passes._merged(moments)
    assert_allclose(mean, 2, rtol=1e-15)
    assert_allclose(var, (2**24 + 300) / (300 * 128 + 5), rtol=1e-15)


@pytest.mark.parametrize("hidden", [[90, 6], [6, 90], [6, 90, 7]])
def test_any_layer_may_be_the_widest(hidden):
    """Kernels do not look whether they write behind their scratch."""
    (trial,) = trials_of("", 100)
    spec = spec_of(trial.settings)
    passes = Passes(1, np.float32, spec, layout_of([30, *hidden, 10], spec), 2)
    assert passes.scratch.shape[0] == 2
    assert passes.scratch.shape[1] >= 128 * 96 + 90  # a block of rows, each of whole cache lines, and one row more


@pytest.mark.parametrize("affine", ["node", "layer", "none"])
def test_gamma_and_beta_are_one_value_each_a_node_of_the_parameters_dtype(affine):
    """Of another dtype kernels would be compiled once more, and compute in it."""
    (trial,) = trials_of(f"norm: {{kind: batch, affine: {affine}}}", 100)
    spec = spec_of(trial.settings)
    layout = layout_of([30, 6, 4, 10], spec)
    p, begin = np.arange(1000, dtype=np.float32), layout.layers[1, AFFINE]
    want = {
        "node": (p[begin : begin + 4], p[begin + 4 : begin + 8]),
        "layer": ([begin] * 4, [begin + 1] * 4),
        "none": ([1] * 4, [0] * 4),
    }
    gamma, beta = Passes(1, p.dtype, spec, layout, 1).affine(p, 1)
    assert (gamma.dtype, beta.dtype) == (p.dtype, p.dtype)
    assert (gamma.tolist(), beta.tolist()) == tuple(map(list, want[affine]))
