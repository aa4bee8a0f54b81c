"""The network's own rules, loss and micro-batches, against the scalar oracle."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.engines.cpu.ops.layout import layout_of
from bnrenorm.engines.cpu.small_batch import network, workspace
from bnrenorm.engines.spec import hyperparams_of, spec_of
from bnrenorm.network.schedule import Schedule
from tests import oracle
from tests.engines.cpu.entry import entry
from tests.helpers import trials_of

pytestmark = pytest.mark.slow


def test_the_mean_loss_and_its_gradient(rng):
    logits, labels = rng.normal(size=(5, 4)).astype(np.float32), np.array([0, 3, 1, 1, 2], np.int32)
    g = np.empty_like(logits)
    loss, accuracy = entry(network.mean_loss)(logits, labels, 5, True, g)
    want = [oracle.cross_entropy([float(v) for v in row], t) for row, t in zip(logits, labels, strict=True)]
    assert loss == pytest.approx(np.mean(want), rel=1e-6)
    assert accuracy == np.mean(logits.argmax(axis=1) == labels)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(g, (softmax - np.eye(4)[labels]) / 5, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("semantics", ["chainer", "paper"])
@pytest.mark.parametrize("micro_batches", [1, 3])
def test_micro_batches_are_normalised_by_themselves_and_averaged(rng, semantics, micro_batches):
    n, width, size = 12, 3, 12 // micro_batches
    text = f"norm: {{kind: renorm, semantics: {semantics}, r_max: 1.3, d_max: 0.4, decay: 0.8, eps: 0.01}}"
    (trial,) = trials_of(f"model: {{hidden: [3]}}\n{text}", 100)
    spec, hyper = spec_of(trial.settings), hyperparams_of(trial)
    ws = workspace.allocate(layout_of([7, width, 10], spec), n, micro_batches, np.dtype(np.float32))
    schedule = Schedule([trial]).table(0, 1)[0, 0]
    x, y = rng.normal(1, 2, (n, width)).astype(np.float32), np.empty((n, width), np.float32)
    gamma, beta = (rng.normal(size=width).astype(np.float32) for _ in range(2))
    running = rng.uniform(0.5, 2, (2, width)).astype(np.float32)
    before = running.astype(float)
    entry(network.normalise)(x, 0, micro_batches, spec, hyper, schedule, running, gamma, beta, ws, y)
    for k in range(width):
        run_std = before[1, k] if semantics == "paper" else np.sqrt(before[1, k] + 0.01)
        parts = [[float(v) for v in x[q * size : (q + 1) * size, k]] for q in range(micro_batches)]
        want = [
            value
            for part in parts
            for value in oracle.renorm_column(part, gamma[k], beta[k], before[0, k], run_std, 1.3, 0.4, 0.01)
        ]
        assert_allclose(y[:, k], want, rtol=1e-4, atol=1e-5)
        means, variances = zip(*map(oracle.moments, parts), strict=True)
        scales = [np.sqrt(v + 0.01) if semantics == "paper" else v * size / (size - 1) for v in variances]
        assert running[0, k] == pytest.approx(0.8 * before[0, k] + 0.2 * np.mean(means), rel=1e-5)
        assert running[1, k] == pytest.approx(0.8 * before[1, k] + 0.2 * np.mean(scales), rel=1e-5)
