"""Fused training against the Chain: every setting, one step at a time from the same state, and whole runs."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bnrenorm.config import document
from bnrenorm.config.experiment import build
from bnrenorm.training import loop
from tests.conftest import some_digits

SETTINGS = {
    "BN after": "norm: {spec: batch}",
    "BN before": "norm: {spec: batch}\nmodel.order: linear-norm-activation",
    "BRN": "norm: {spec: renorm, r_max: 1.5, d_max: 0.5, warmup: 1, ramp_r: 4, ramp_d: 2}",
    "BRN before, paper": "norm: {spec: renorm, semantics: paper}\nmodel.order: linear-norm-activation",
    "none": "norm: {spec: none}",
    "none before": "norm: {spec: none}\nmodel.order: linear-norm-activation",
    "layer": "norm: {spec: layer}",
    "layer before": "norm: {spec: layer}\nmodel.order: linear-norm-activation",
    "one gamma a layer": "norm: {spec: batch, affine: layer, affine_lr: 0.3}",
    "no gamma": "norm: {spec: batch, affine: none}",
    "micro": "norm: {spec: renorm}\ntraining.micro_batch: 10",
    "decay, average": "norm: {spec: batch}\ntraining.weight_decay: 0.1\nevaluation.average: 0.7",
    "sgd": "norm: {spec: none}\ntraining.optimizer.kind: sgd",
    "adam": "norm: {spec: none}\ntraining.optimizer: {spec: adam, lr: 0.01, eps: 0.001}",
    "rmsprop": "norm: {spec: none}\ntraining.optimizer: {spec: rmsprop, lr: 0.01, eps: 0.001}",
    "both decays": "norm: {spec: none}\ntraining.weight_decay: 0.1\ntraining.l1_decay: 0.01",
    "mean gradient": "norm: {spec: batch, affine: layer, affine_gradient: mean, affine_lr: 3}",
    "dropout": "norm: {spec: batch}\nmodel.dropout: {form: exact, keep_input: 0.7, keep_hidden: 0.4}",
    "dropout before": "norm: {spec: renorm}\nmodel.order: linear-norm-activation\nmodel.dropout: {form: exact, keep_hidden: 0.6}",
    "dropout, adam": "norm: {spec: none}\ntraining.optimizer: {spec: adam, lr: 0.01, eps: 0.001}\n"
    "model.dropout: {form: exact, keep_input: 0.5}",
}
BATCHES = {
    "small": "{spec: iid, size: 20}",
    "rest": "{spec: iid, size: 170, remainder: keep}",
    "skewed": "{spec: non_iid, classes: 2, size: 20}",
    "full": "full",
}


def group(settings, batch="full", images=500, **more):
    parsed = document.parse("name: a\nmodel: {hidden: [30, 20]}\nseeds: 2", "x.yaml")
    pairs = [line.split(": ", 1) for line in settings.split("\n")]
    for key, value in [*pairs, ("training.batch", batch), *more.items()]:
        parsed.override(f"{key.replace('__', '.')}={value}")
    return build(parsed).trials(images)


@pytest.fixture(scope="module")
def digits():
    return some_digits(500, 100)


@pytest.fixture(scope="module")
def negatives():
    """Digits with hardly a black pixel, which kernels take as they are."""
    found = some_digits(500, 100)
    return dataclasses.replace(found, x_train=255 - found.x_train, x_test=255 - found.x_test)


def apart(one, other):
    """The largest difference of two states, as a share of the largest number of its sort (weights, velocities...)."""
    required_kernels = {}
    for name, value in one.items():
        sort = (name.partition("/")[0], name.rpartition("/")[2] if name.startswith(("optimizer", "kept")) else "")
        scale, difference = required_kernels.get(sort, (0, 0))
        if value.size:
            scale = max(scale, np.abs(value).max())
            difference = max(difference, np.abs(value.astype(float) - other[name]).max())
        required_kernels[sort] = scale, difference
    return max(difference / (scale or 1) for scale, difference in required_kernels.values())


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_step_is_the_chains(digits, settings, batch):
    if settings == "micro" and batch == "rest":
        pytest.skip("parts of 10 do not divide 170 images and a rest of 160")
    trials = group(SETTINGS[settings], BATCHES[batch], training__steps=6)
    plain, fused = (loop.Training(trials, digits, kernels=kernels) for kernels in ("formulas", "fused"))
    for _ in range(5):
        for each in (plain, fused):
            each._advance(1, observing=False)
        assert apart(plain.state(), fused.state()) < 3e-5
        assert fused.engine is not None
        fused.restore(plain.state())


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("settings", ["BN after", "BRN before, paper", "adam", "dropout"])
def test_images_without_black_pixels_are_taken_as_they_are(negatives, settings, batch):
    trials = group(SETTINGS[settings], BATCHES[batch], training__steps=3, training__optimizer__lr=0.001)
    plain, fused = (loop.Training(trials, negatives, kernels=kernels) for kernels in ("formulas", "fused"))
    for _ in range(3):
        for each in (plain, fused):
            each._advance(1, observing=False)
        assert apart(plain.state(), fused.state()) < 1e-4
        assert_allclose(fused._judge({}).values["test_loss"], plain._judge({}).values["test_loss"], rtol=1e-4)
        fused.restore(plain.state())


@pytest.mark.parametrize("average", ["null", "0.5"])
@pytest.mark.parametrize("statistics", ["running", "batch", "population"])
@pytest.mark.parametrize(
    "settings", ["BN after", "BN before", "BRN before, paper", "none", "layer", "one gamma a layer", "dropout"]
)
def test_judging_is_the_chains(digits, settings, statistics, average):
    more = {"training__steps": 3, "evaluation__statistics": statistics, "evaluation__average": average}
    more["evaluation__training_set"] = True
    trials = group(SETTINGS[settings], "{spec: iid, size: 50}", **more)
    plain, fused = (loop.Training(trials, digits, kernels=kernels) for kernels in ("formulas", "fused"))
    plain._advance(3, observing=False)
    fused.restore(plain.state())
    want, got = plain._judge({}).values, fused._judge({}).values
    for name in ("test", "train"):
        assert_allclose(got[f"{name}_loss"], want[f"{name}_loss"], rtol=1e-5)
        assert_allclose(got[f"{name}_accuracy"], want[f"{name}_accuracy"], atol=0.0101)


def run(trials, data, kernels):
    return [(r.values, r.diagnosis) for r in loop.train(trials, data, kernels=kernels)]


def test_the_gap_of_a_network_that_drops_nodes_is_the_chains(digits):
    settings = "norm: {spec: batch}\nmodel.dropout: {form: exact, keep_hidden: 0.5}"
    trials = group(settings, "{spec: iid, size: 20}", training__steps=6, evaluation__every=3)
    for (_, seen), (_, want) in zip(run(trials, digits, "fused"), run(trials, digits, "formulas"), strict=True):
        assert_allclose(seen["training_mode_accuracy"], want["training_mode_accuracy"], atol=0.0051)


@pytest.mark.parametrize("batch", ["{spec: iid, size: 100}", "{spec: iid, size: 250}", "full"])  # gap.IMAGES: 200
def test_records_and_diagnosis_are_the_chains(digits, batch):
    trials = group("norm: {spec: renorm}", batch, training__steps=12, evaluation__every=4, data__validation=50)
    for (values, seen), (want, want_seen) in zip(
        run(trials, digits, "fused"), run(trials, digits, "formulas"), strict=True
    ):
        assert values.keys() == want.keys()
        assert seen.keys() == want_seen.keys()
        for got, expected in ((values, want), (seen, want_seen)):
            for name in got:
                assert_allclose(got[name], expected[name], rtol=2e-3, atol=0.0101, err_msg=name)


@pytest.mark.parametrize("batch", ["{spec: iid, size: 7, remainder: keep}", "full"])
@pytest.mark.parametrize("norm", ["renorm", "none"])
def test_company_and_frequency_of_records_change_no_bit(digits, batch, norm):
    base = {"training__steps": 9, "evaluation__every": 3}
    trials = group(f"norm: {{spec: {norm}}}", batch, **base, grid="{training.optimizer.lr: [0.01, 0.1]}")
    together = run(trials, digits, "fused")
    for replica, trial in enumerate(trials):
        for (values, _), (alone, _) in zip(together, run([trial], digits, "fused"), strict=True):
            assert all(values[name][replica] == alone[name][0] for name in values)
    steps = 9 if batch == "full" else 40  # of which many leave a pixel black
    often = run(group(f"norm: {{spec: {norm}}}", batch, training__steps=steps, evaluation__every=1), digits, "fused")
    seldom = run(
        group(f"norm: {{spec: {norm}}}", batch, training__steps=steps, evaluation__every=steps), digits, "fused"
    )
    assert (often[-1][0]["test_loss"] == seldom[-1][0]["test_loss"]).all()


def test_a_replica_that_diverges_leaves_the_others_untouched(digits):
    base = {"training__steps": 12, "evaluation__every": 12}
    for batch in ("full", "{spec: iid, size: 50}"):
        settings = "norm: {spec: batch}"
        (_, healthy) = group(settings, batch, **base)
        pair = group(settings, batch, **base, variants="{A: {}, B: {training: {optimizer: {lr: 1.0e+20}}}}")
        together = run(pair, digits, "fused")[-1][0]
        assert together["test_loss"][1] == run([healthy], digits, "fused")[-1][0]["test_loss"][0]
        assert not np.isfinite(together["train_loss"][2:]).any()


@pytest.mark.parametrize("statistics", ["running", "batch"])
@pytest.mark.parametrize("batch", ["full", "{spec: iid, size: 50}"])
def test_a_replica_that_has_diverged_is_left_alone(digits, batch, statistics):
    """All that is recorded of it is NaN; the others' bits are those without it."""
    base = {"training__steps": 12, "evaluation__every": 3, "evaluation__statistics": statistics}
    settings = "norm: {spec: batch}"
    pair = group(settings, batch, **base, variants="{A: {training: {optimizer: {lr: 1.0e+20}}}, B: {}}", seeds=1)
    training = loop.Training(pair, digits, kernels="fused")
    found = [record.values for record in training if record is not None]
    assert not np.isfinite(found[0]["train_loss"][0])
    assert list(training.engine.idle) == [True, False]
    assert np.isnan([each[name][0] for each in found[1:] for name in each]).all()
    alone = run([pair[1]], digits, "fused")
    assert len(found) == 4
    for name in found[0]:
        assert [each[name][1] for each in found] == [values[name][0] for values, _ in alone]


@pytest.mark.parametrize("batch", ["full", "{spec: iid, size: 50}"])
def test_an_idle_replica_takes_no_steps_until_its_numbers_are_loaded(digits, batch):
    training = loop.Training(group("norm: {spec: batch}", batch), digits, kernels="fused")
    training.rehearse(record=False)
    engine = training.engine
    before = engine.rows.p.copy()
    engine.idle[0] = True
    training.rehearse(steps=2, record=False)
    changed = (engine.rows.p != before).any(axis=1)
    assert not changed[0]
    assert changed[1:].all()
    engine.store()
    engine.load()
    training.rehearse(record=False)
    assert (engine.rows.p != before).any(axis=1).all()


def test_six_hundred_steps_are_the_chains_within_a_ten_thousandth():
    """With batches of 100, as the second article has them."""
    data = some_digits(6000, 500)
    trials = group(
        "norm: {spec: batch}", "{spec: iid, size: 100}", 6000, training__steps=600, evaluation__every=100, seeds=1
    )
    fused, plain = (
        np.array([values["train_loss"] for values, _ in run(trials, data, kernels)])
        for kernels in ("fused", "formulas")
    )
    assert_allclose(fused, plain, rtol=1e-4)


def test_a_resumed_training_has_the_same_bits(digits):
    for batch in ("full", "{spec: iid, size: 20}"):
        trials = group("norm: {spec: renorm}", batch, training__steps=8, evaluation__every=2)
        whole = run(trials, digits, "fused")
        first = loop.Training(trials, digits, kernels="fused")
        for record in first:
            if record is not None and record.step == 4:
                break
        second = loop.Training(trials, digits, kernels="fused")
        second.restore(first.state())
        rest = [record.values for record in second if record is not None]
        assert all((a["test_loss"] == b["test_loss"]).all() for (a, _), b in zip(whole[2:], rest, strict=True))


def test_the_diagnosis_of_a_smaller_last_batch_in_micro_batches_is_the_chains(digits):
    more = {"training__micro_batch": 100, "training__steps": 3, "evaluation__every": 3}
    trials = group("norm: {spec: renorm}", "{spec: iid, size: 200, remainder: keep}", **more)  # 200, 200, 100
    ((_, seen),) = run(trials, digits, "fused")
    ((_, want),) = run(trials, digits, "formulas")
    for name in want:
        assert_allclose(seen[name], want[name], rtol=2e-3, atol=0.0101, err_msg=name)
