"""What is recorded of an observed step, against the Chainer engine's mode gap and diagnosis, on the same network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm._compat import chainer
from bnrenorm.engines import mode_gap
from bnrenorm.engines.cuda.observation import diagnosis
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.norm.diagnosis import diagnose
from tests.engines.groups import WITHOUT_AND_WITH_GPU, advance, assert_same_bits, coarse_digits, group, training_of

BATCHES = {
    "one image": "{kind: iid, size: 1}",
    "small": "{kind: iid, size: 30}",  # seven batches are 210 images
    "rest": "{kind: iid, size: 120, remainder: keep}",  # of 300: 120, 120, 60
    "skewed": "{kind: non_iid, classes: 2, size: 20}",
    "large": "{kind: iid, size: 250}",
    "large rest": "{kind: iid, size: 250, remainder: keep}",  # of 300: 250, 50, 250
    "full": "full",
}


@pytest.fixture(scope="module")
def few():
    return coarse_digits(300, 50)


@pytest.mark.parametrize("engine", WITHOUT_AND_WITH_GPU)
@pytest.mark.parametrize("settings", ["norm: {kind: renorm, ramp_r: 4, ramp_d: 2}", "norm: {kind: batch}\nmodel.dropout: {form: exact, keep_input: 0.8, keep_hidden: 0.5}"])  # fmt: skip
@pytest.mark.parametrize("batch", BATCHES)
def test_the_mode_gap_is_chainers(few, engine, settings, batch):
    """Of three steps: Chainer's is measured before the update, and with the running statistics from after the step."""
    chain, compiled = (
        training_of(group(settings, BATCHES[batch], 300), few, name, float64=True) for name in ("chainer", engine)
    )
    for step in range(3):
        for training in (chain, compiled):
            training.engine.advance(step, 1, observe=True)
        want, got = chain.engine.diagnosis(), compiled.engine.diagnosis()
        assert got.keys() == want.keys()
        for name in want:
            assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-9, err_msg=name)
        assert got["training_mode_accuracy"].max() > 0


@pytest.mark.parametrize("engine", WITHOUT_AND_WITH_GPU)
def test_the_mode_gap_in_micro_batches_is_of_whole_ones(few, engine):
    """Of batches of 120, 120 and 60 images in micro-batches of 60."""
    settings = "norm: {kind: renorm}\ntraining.micro_batch: 60"
    trainings = [
        training_of(group(settings, BATCHES["rest"], 300), few, name, float64=True) for name in ("chainer", engine)
    ]
    for step in range(4):
        for training in trainings:
            training.engine.advance(step, 1, observe=True)
        want, got = (training.engine.diagnosis() for training in trainings)
        for name in ("training_mode_accuracy", "inference_mode_accuracy"):
            assert_allclose(got[name], want[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("hidden", ["[30, 20]", "[30]"])
def test_measuring_changes_nothing_that_is_trained(few, hidden):
    engines = [
        training_of(group("norm: {kind: renorm}", "{kind: iid, size: 4}", 300, model__hidden=hidden), few, "reference")
        for _ in range(2)
    ]
    for training, observe in zip(engines, (True, False), strict=True):
        for step in range(3):
            training.engine.advance(step, 1, observe=observe)
    assert_same_bits(*(training.engine.replicas.state_dict() for training in engines))


def test_the_gap_of_a_network_is_chainers_own_measurement(few):
    """The same network, asked by both after the step's forward pass, with the weights and the limits of that moment."""
    training = training_of(
        group("norm: {kind: renorm, warmup: 3}", "{kind: iid, size: 30}", 300), few, "reference", float64=True
    )
    advance(training, 3)
    engine = training.engine
    network = engine.network
    network.step = 2
    with chainer.using_config("train", True):
        want = mode_gap.ModeGap(network, engine.inputs, engine.replicas.trials).measure(np.empty((2, 30, 10)), 2)
    span = next(engine.spans.ahead(2, 1, np.asarray))
    context = engine._context(span, 0)
    got = engine.mode_gap.measure(engine.layers, *engine.batches.tables(span, 0), context, None, 2)
    for name in want:
        assert_allclose(got[name], want[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("shared_memory", [2**30, 0])
def test_the_diagnosis_is_of_every_replica(rng, monkeypatch, shared_memory):
    """Layers differ in width; the limits are one a replica. Too many nodes for a kernel are described without it."""
    ops = Reference()
    monkeypatch.setattr(ops, "shared_memory", shared_memory, raising=False)
    statistics = [rng.uniform(0.5, 2, (3, 2, 6, width)) for width in (7, 4)]
    r_max, d_max = np.array([1.0, 1.1, 3]).reshape(3, 1, 1), np.array([0, 0.1, 5]).reshape(3, 1, 1)
    schedule = np.concatenate([r_max[:, :, 0], d_max[:, :, 0], np.zeros((3, 2))], axis=1)
    for stats in statistics:
        got = diagnosis(ops, stats, schedule)
        for replica in range(3):
            mean, std, r, d, run_mean, run_std = (stats[replica : replica + 1, :, i] for i in range(6))
            limits = r_max[replica], d_max[replica]
            want = diagnose(mean, std, run_mean, run_std, r, d, *limits)
            assert_allclose(got[replica], [value[0] for value in want.values()], rtol=1e-12)


@pytest.mark.parametrize("width", [1, 5, 8, 9, 33])
def test_a_block_has_the_shared_memory_that_it_sorts_in(monkeypatch, width):
    """Of a power of two of values."""
    ops, seen, taken = Reference(), [], 8 * 2 ** int(np.ceil(np.log2(width)))
    monkeypatch.setattr(ops, "diagnose", lambda *_: seen.append(ops.shared_memory))
    for memory in (taken - 1, 2 * taken):
        ops.shared_memory = memory
        diagnosis(ops, np.ones((3, 1, 6, width)), np.ones((3, 4)))
    assert seen == [2 * taken]
