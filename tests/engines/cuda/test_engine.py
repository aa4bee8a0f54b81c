"""The CUDA engine against the Chainer engine in float64: without a GPU by NumPy, and on one by its kernels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm import _compat
from tests.engines.groups import (
    FULL,
    SETTINGS,
    SMALL,
    WITHOUT_AND_WITH_GPU,
    advance,
    assert_same_training,
    assert_same_values,
    coarse_digits,
    distance,
    group,
    pair,
    training_of,
)

pytestmark = pytest.mark.parametrize("engine", WITHOUT_AND_WITH_GPU)

BATCHES = {
    "small": SMALL,
    "rest": "{kind: iid, size: 60, remainder: keep}",  # 8 of 60 images and one of 20
    "sorted": "{kind: sorted, size: 30}",
    "skewed": "{kind: non_iid, classes: 2, size: 20}",
    "large": "{kind: iid, size: 250}",  # of which 200 images show the mode gap
    "full": FULL,
}
LIMITS = {"adam": 1e-6, "dropout, adam": 1e-6, "rmsprop": 1e-6}
"""Chainer rounds some of these optimizers' constants to float32."""

STATISTICS = ("running", "batch", "population")


@pytest.fixture(scope="module")
def few():
    return coarse_digits(500, 100)


def all_and_some(rows, columns):
    """Return all pairs as test parameters, those but one of every row marked slow; every column has some that are not."""
    columns = list(columns)
    return [
        pytest.param(row, column, marks=() if j == i % len(columns) else pytest.mark.slow)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]


@pytest.mark.parametrize(("settings", "batch"), all_and_some(SETTINGS, BATCHES))
def test_a_training_is_the_chains(few, engine, settings, batch):
    """Nine steps: of batches of 60 images, the last is of 20."""
    trials = group(SETTINGS[settings], BATCHES[batch], training__steps=9, evaluation__every=5)
    assert_same_training(*pair(trials, few, engine), LIMITS.get(settings, 1e-9))


@pytest.mark.parametrize(("settings", "statistics"), all_and_some(SETTINGS, STATISTICS))
def test_evaluation_is_the_chains(few, engine, settings, statistics):
    """After two steps that are the Chainer engine's in both."""
    more = {"data__validation": 70, "evaluation__training_set": True, "evaluation__statistics": statistics}
    chain, compiled = pair(group(SETTINGS[settings], SMALL, **more), few, engine)
    advance(chain, 2)
    compiled.load_state_dict(chain.state_dict())
    want, got = chain.engine.evaluate(), compiled.engine.evaluate()
    assert got.keys() == {
        f"{name}_{value}" for name in ("test", "validation", "train") for value in ("loss", "accuracy")
    }
    assert_same_values(got, want, 1e-12)
    assert distance(chain.state_dict(), compiled.state_dict()) == 0


def test_bn_and_brn_train_in_one_group(few, engine):
    """With rates, limits, decays, eps and averages of their own. Limits are numbers of float32, as schedules are."""
    variants = """{A: {norm: {kind: batch, affine_lr: 0.3}, training: {l1_decay: 0.01}, evaluation: {average: 0.5}}, B: {norm: {kind: renorm,
    r_max: 1.25, ramp_r: 4, decay: 0.7, eps: 0.01}, evaluation: {average: 0.9}, training: {optimizer: {momentum: 0.5}}}}"""
    more = {"variants": variants, "training__steps": 9, "evaluation__every": 4}
    assert_same_training(*pair(group("training.weight_decay: 0.01", SMALL, **more), few, engine))


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_replicas_of_a_seed_drop_shares_of_their_own(few, engine, batch):
    """Their images differ then, although they are the same ones."""
    kept = "{form: exact, keep_input: %s, keep_hidden: %s}"
    variants = f"{{A: {{model: {{dropout: {kept % (0.5, 0.9)}}}}}, B: {{model: {{dropout: {kept % (0.8, 0.4)}}}}}}}"
    trials = group("norm: {kind: renorm}", batch, variants=variants, training__steps=5, evaluation__every=2)
    assert len(trials) == 4
    assert_same_training(*pair(trials, few, engine))


def test_more_seeds_than_sixty_four_train_in_one_group(few, engine):
    more = {"model__hidden": "[5, 4]", "seeds": 65, "training__steps": 3, "evaluation__every": 3}
    assert_same_training(*pair(group("norm: {kind: renorm}", "{kind: iid, size: 10}", **more), few, engine))


@pytest.mark.parametrize("hidden", ["[30]", "[30, 20]"])
def test_early_stopping_rewinds_to_the_best_step(few, engine, hidden):
    more = {
        "model__hidden": hidden, "data__validation": 100, "training__early_stopping": "{patience: 2}",
        "training__optimizer__lr": 0.3, "training__steps": 40, "evaluation__every": 2, "seeds": 3,
    }  # fmt: skip
    chain, compiled = pair(group("norm: {kind: renorm}", "{kind: iid, size: 25}", **more), few, engine)
    assert_same_training(chain, compiled, 1e-8)
    assert compiled.early_stopping.stopped.all()
    for training in (chain, compiled):
        advance(training, 2)
    assert distance(chain.state_dict(), compiled.state_dict()) < 1e-8


@pytest.mark.parametrize("hidden", ["[30]", "[30, 20]"])
def test_a_training_goes_from_the_cpu_to_the_engine_and_back(few, engine, hidden):
    """Against the CPU engine alone, in float32. Six steps: rounding grows with every one."""
    trials = group("norm: {kind: renorm}", SMALL, model__hidden=hidden)
    alone, before, between, after = (training_of(trials, few, name) for name in ("cpu", "cpu", engine, "cpu"))
    advance(alone, 6)
    advance(before, 2)
    between.load_state_dict(before.state_dict())
    advance(between, 2)
    after.load_state_dict(between.state_dict())
    advance(after, 2)
    assert distance(alone.state_dict(), after.state_dict()) < 1e-5
    assert after.step == 6


@pytest.mark.parametrize("batch", [SMALL, FULL])
@pytest.mark.parametrize("settings", ["BN before", "BRN before, paper", "none", "layer before", "sgd"])
def test_twenty_steps_in_float32_are_the_chains(few, engine, settings, batch):
    """Of trainings that do not amplify rounding. 260 images are two pieces of a batch."""
    trials = group(SETTINGS[settings], batch, data__validation=240)
    chain, compiled = (training_of(trials, few, name) for name in ("chainer", engine))
    for training in (chain, compiled):
        advance(training, 20)
    assert distance(chain.state_dict(), compiled.state_dict()) < 1e-4
    assert_allclose(*(training.engine.replicas.training_means()[0] for training in (compiled, chain)), rtol=1e-4)


@pytest.mark.parametrize("batch", ["{kind: iid, size: 120}", "{kind: iid, size: 250}", FULL])
@pytest.mark.parametrize("settings", ["adam", "rmsprop", "decay, average", "both decays", "micro", "one gamma a layer", "layer", "sgd"])  # fmt: skip
def test_every_kind_of_batch_is_trained_by_tensor_cores(few, engine, settings, batch):
    """In float32: of 120 images by sweeps, of 250 gathered, and of all, which with 1,100 images are two sums."""
    data = coarse_digits(1100, 100) if batch == FULL else few
    trials = group(SETTINGS[settings], batch, len(data.x_train), training__steps=4, evaluation__every=2)
    chain, compiled = (training_of(trials, data, name) for name in ("chainer", engine))
    batches = compiled.engine.batches
    if batches.ops.has_tensor_cores:
        assert (batches.sweeps is not None) == ("120" in batch)
        assert (batches.pixels is not None) == ("120" not in batch)
    assert_same_training(chain, compiled, 1e-3 if settings == "rmsprop" else 2e-4)  # one input of a ReLU is 1e-7


@pytest.mark.parametrize(("hidden", "size"), [("[30]", 30), ("[30, 20]", 30), ("[30]", 32)])
def test_an_epochs_last_batch_may_be_smaller(engine, hidden, size):
    """Of 100 images; small batches of one size and the rest by other kernels, in float32 and float64."""
    trials = group(
        "norm: {kind: renorm}", f"{{kind: iid, size: {size}, remainder: keep}}", 100, training__steps=9,
        evaluation__every=5, model__hidden=hidden,
    )  # fmt: skip
    data = coarse_digits(100, 50)
    chain, compiled = pair(trials, data, engine)
    assert_same_training(chain, compiled)
    assert (compiled.engine.small is not None) == (hidden == "[30]")
    assert_same_training(*(training_of(trials, data, name) for name in ("chainer", engine)), 1e-3)


def test_images_that_are_no_bytes_are_multiplied_as_they_are(few, engine):
    trials = group("data.scaling: z_score", "{kind: iid, size: 120}", training__steps=2, evaluation__every=2)
    chain, compiled = (training_of(trials, few, name) for name in ("chainer", engine))
    assert (compiled.engine.batches.sweeps, compiled.engine.batches.pixels) == (None, None)
    assert all(compiled.engine.batches.eval_images(name).ndim == 2 for name in compiled.engine.inputs.eval_sets)
    assert_same_training(chain, compiled, 1e-4)


@pytest.mark.parametrize("batch", [FULL, "{kind: iid, size: 120}"])
def test_evaluated_sets_may_change(few, engine, batch):
    trials = group("norm: {kind: renorm}", batch, training__steps=2, evaluation__every=1)
    found = []
    for name in ("chainer", engine):
        training = training_of(trials, few, name)
        inputs, records = training.engine.inputs, iter(training)
        next(records)
        inputs.eval_sets["train_set"] = inputs.images, inputs.labels
        inputs.eval_sets["test"] = tuple(each[:11] for each in inputs.eval_sets["test"])
        found.append(next(record for record in records if record is not None).values)
    assert "train_set_loss" in found[0]
    for name, values in found[0].items():
        np.testing.assert_allclose(found[1][name], values, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("settings", ["BRN", "dropout"])
@pytest.mark.parametrize("hidden", ["[30]", "[30, 20]"])
def test_no_bit_depends_on_how_steps_are_cut_into_spans(few, engine, hidden, settings):
    trials = group(SETTINGS[settings], SMALL, model__hidden=hidden)
    states = []
    for length in (1, 3, 100):
        training = training_of(trials, few, engine)
        training.engine.spans.length = length
        advance(training, 7)
        states.append(training.state_dict())
    for state in states[1:]:
        assert all(np.array_equal(state[name], states[0][name]) for name in state)


@pytest.mark.parametrize("hidden", ["[30]", "[30, 20]"])
def test_any_gpu_trains(few, engine, hidden):
    """Whatever this thread's current device is: kernels and cuBLAS must be of the training's."""
    if engine == "reference" or _compat.gpu_count() < 2:
        pytest.skip("needs a second GPU")  # the first one is current without being asked for
    trials = group("norm: {kind: renorm}", SMALL, model__hidden=hidden, training__steps=4, evaluation__every=2)
    chain, _ = pair(trials, few, engine)
    assert_same_training(chain, training_of(trials, few, "cuda", float64=True, device="cuda:1"))


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("hidden", ["[30]", "[30, 20]"])
def test_products_round_as_the_engine_was_told(few, engine, monkeypatch, hidden, tf32):
    """In steps and in evaluation."""
    training, modes = training_of(group("norm: {kind: batch}", SMALL, model__hidden=hidden), few, engine), []
    training.engine.tf32, math_mode = tf32, training.engine.ops.math_mode
    monkeypatch.setattr(training.engine.ops, "math_mode", lambda tf32: modes.append(tf32) or math_mode(tf32))
    advance(training, 1)
    training.engine.evaluate()
    assert modes == [tf32, tf32]


def test_a_call_returns_when_the_device_has_finished_which_is_asked_once(few, engine, monkeypatch):
    training, finished = training_of(group("norm: {kind: batch}", SMALL), few, engine), []
    synchronize = training.engine.ops.synchronize
    monkeypatch.setattr(
        training.engine.ops, "synchronize", lambda: finished.append(training.engine.replicas.since) or synchronize()
    )
    advance(training, 3)
    training.engine.advance(3, 2, observe=True)
    assert finished == [3, 5]


@pytest.mark.parametrize("hidden", ["[30]", "[30, 20]"])
def test_only_the_last_step_of_a_call_is_observed(few, engine, monkeypatch, hidden):
    training, steps = training_of(group("norm: {kind: batch}", SMALL, model__hidden=hidden), few, engine), []
    measure = training.engine.mode_gap.measure
    monkeypatch.setattr(
        training.engine.mode_gap, "measure", lambda *arguments: steps.append(arguments[-1]) or measure(*arguments)
    )
    training.engine.spans.length = 2
    training.engine.advance(0, 4, observe=True)
    training.engine.advance(4, 3, observe=False)
    training.engine.advance(7, 1, observe=True)
    assert steps == [3, 7]
