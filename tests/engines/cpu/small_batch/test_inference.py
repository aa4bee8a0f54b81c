"""Blocks of a set, evaluated one by one: only those that were asked for."""

import numpy as np
import pytest

from bnrenorm.engines import evaluate
from bnrenorm.engines.cpu.ops.layout import AFFINE, WIDTH
from bnrenorm.engines.cpu.small_batch import inference, workspace
from bnrenorm.engines.cpu.sparse.packed import pack, panel_workspace
from bnrenorm.engines.select import make_engine
from bnrenorm.engines.spec import hyperparams_of
from tests.engines.cpu.entry import entry
from tests.helpers import some_digits, trials_of


@pytest.mark.parametrize(("begin", "end"), [(0, 3), (1, 2), (2, 3)])
def test_only_blocks_of_the_range_are_set(begin, end):
    data = some_digits(100, 1103)  # blocks of 500, 500 and 103
    (trial,) = trials_of("model: {hidden: [8]}", 100)
    engine = make_engine("cpu", [trial], data, "cpu")
    evaluator, images = engine.evaluator, data.scaled("test")
    engine.advance(0, 1, observe=False)
    packed, rows, layout = pack(images), engine.rows.of(0), evaluator.layout
    labels = np.ascontiguousarray(data.labels("test")[packed.order])
    sums = np.full((3, 2), -1.0)
    panel = panel_workspace(784, int(layout.layers[0, WIDTH]), images.dtype)
    ws = workspace.allocate(layout, inference.ROWS, 1, images.dtype)
    inference.evaluate_blocks(
        packed.fours, labels, evaluator.spec, hyperparams_of(trial), layout, rows.p, rows.run, ws, panel, begin, end, sums
    )  # fmt: skip
    network = engine.replicas.network
    with evaluate.inference():
        logits = network(images[packed.order]).array[0]
    right = logits.argmax(axis=1) == labels
    for q in range(3):
        want = right[500 * q : 500 * (q + 1)].sum() if begin <= q < end else -1
        assert sums[q, 1] == pytest.approx(want, rel=1e-15)  # a share times the number of images
        assert (sums[q, 0] > 0) == (begin <= q < end)


def test_running_statistics_are_divided_by_to_the_last_bit(rng):
    """Not times an estimate of 1 / sqrt, which processors have of their own."""
    (trial,) = trials_of("model: {hidden: [100]}", 100)
    engine = make_engine("cpu", [trial], some_digits(100, 10), "cpu")
    rows, layout, spec = engine.rows.of(0), engine.evaluator.layout, engine.evaluator.spec
    rows.p[layout.layers[0, AFFINE] :][:100] = 1  # gamma; beta is 0
    run = np.abs(rng.normal(size=len(rows.run))).astype(np.float32)
    z, y = rng.normal(size=(50, 100)).astype(np.float32), np.empty((50, 100), np.float32)
    hyper, ws = hyperparams_of(trial), workspace.allocate(layout, 50, 1, np.float32)
    entry(inference._normalise)(z, 0, spec, hyper, layout, rows.p, run, ws, y)
    assert (y == (z - run[:100]) * (1 / np.sqrt(run[100:] + hyper.eps))).all()
