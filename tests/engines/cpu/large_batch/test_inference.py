"""A set evaluated by its own statistics, against NumPy in float64 (one hidden layer; `test_evaluator` has more)."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bnrenorm.engines.cpu.large_batch.inference import by_batch_statistics
from bnrenorm.engines.cpu.large_batch.passes import Passes
from bnrenorm.engines.cpu.ops.layout import layout_of
from bnrenorm.engines.cpu.sparse.packed import pack
from bnrenorm.engines.spec import hyperparams_of, spec_of
from tests import oracle
from tests.helpers import trials_of


@pytest.mark.parametrize("images_count", [1, 300])
def test_loss_and_accuracy(rng, images_count):
    (trial,) = trials_of("model: {hidden: [6]}\nnorm: {kind: batch, eps: 0.01}", 100)
    spec = spec_of(trial.settings)
    layout = layout_of([30, 6, 10], spec)
    images = rng.uniform(0, 1, (images_count, 30)).astype(np.float32)
    labels = rng.integers(0, 10, images_count).astype(np.int32)
    passes = Passes(len(images), images.dtype, spec, layout, 2).take(pack(images), labels)
    p = rng.normal(size=1000).astype(np.float32)
    before = p.copy()
    with ThreadPoolExecutor(2) as pool:
        loss, accuracy = by_batch_statistics(passes, pool, hyperparams_of(trial), p)
    (w, b), (w_out, b_out) = passes.linear(p, 0), passes.linear(p, 1)
    gamma, beta = passes.affine(p, 0)
    h = np.maximum(images.astype(float) @ w[:, :6] + b, 0)
    y = (h - h.mean(axis=0)) / np.sqrt(h.var(axis=0) + 0.01) * gamma + beta
    logits = y @ w_out.T.astype(float) + b_out
    losses = [oracle.cross_entropy(list(row), label) for row, label in zip(logits, labels, strict=True)]
    assert loss == pytest.approx(np.mean(losses), rel=1e-4)
    assert accuracy == pytest.approx(np.mean(logits.argmax(axis=1) == labels))
    assert (p == before).all()
