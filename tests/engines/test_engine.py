"""What every engine promises (`engines.engine`), whatever computes its numbers."""

import numpy as np
import pytest

from bnrenorm.training import loop
from tests.engines.groups import FULL, SMALL, advance, assert_same_bits, group, records
from tests.helpers import ENGINES, some_digits

pytestmark = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(scope="module")
def digits():
    return some_digits(500, 100)


@pytest.mark.parametrize("average", ["null", "0.9"])
@pytest.mark.parametrize("batch", [SMALL, FULL])
@pytest.mark.parametrize("statistics", ["running", "batch", "population"])
def test_evaluating_after_every_step_changes_no_bit_of_the_training(digits, engine, statistics, batch, average):
    settings = {"evaluation__statistics": statistics, "evaluation__average": average, "evaluation__training_set": True}
    trials = group("norm: {kind: renorm, r_max: 1.5, d_max: 0.5}", batch, data__validation=60, **settings)
    evaluated, left_alone = (loop.Training(trials, digits, engine=engine) for _ in range(2))
    for _ in range(5):
        advance(evaluated, 1)
        evaluated.engine.evaluate()
        advance(left_alone, 1)
    assert_same_bits(evaluated.state_dict(), left_alone.state_dict())


@pytest.mark.parametrize("statistics", ["running", "batch", "population"])
def test_evaluating_twice_is_evaluating_once(digits, engine, statistics):
    training = loop.Training(group("norm: {kind: batch}", evaluation__statistics=statistics), digits, engine=engine)
    advance(training, 2)
    first, second = training.engine.evaluate(), training.engine.evaluate()
    assert_same_bits(second, first)


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_observing_a_step_changes_no_bit_of_the_training(digits, engine, batch):
    observed, left_alone = (
        loop.Training(group("norm: {kind: renorm}", batch), digits, engine=engine) for _ in range(2)
    )
    for _ in range(3):
        observed.engine.advance(observed.step, 1, observe=True)
        observed.step += 1
    advance(left_alone, 3)
    assert_same_bits(observed.state_dict(), left_alone.state_dict())


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_the_diagnosis_is_of_the_last_observed_step(digits, engine, batch):
    training = loop.Training(group("norm: {kind: renorm}", batch), digits, engine=engine)
    advance(training, 1)
    assert training.engine.diagnosis() == {}
    training.engine.advance(1, 2, observe=True)
    training.step = 3
    of_third = training.engine.diagnosis()
    advance(training, 2)
    assert_same_bits(training.engine.diagnosis(), of_third)
    third_alone = loop.Training(group("norm: {kind: renorm}", batch), digits, engine=engine)
    advance(third_alone, 2)
    third_alone.engine.advance(2, 1, observe=True)
    assert_same_bits(third_alone.engine.diagnosis(), of_third)


@pytest.mark.parametrize("batch", ["{kind: iid, size: 7, remainder: keep}", FULL])
@pytest.mark.parametrize("norm", ["renorm", "none"])
def test_company_and_frequency_of_records_change_no_bit(digits, engine, batch, norm):
    base = {"training__steps": 9, "evaluation__every": 3}
    trials = group(f"norm: {{kind: {norm}}}", batch, **base, grid="{training.optimizer.lr: [0.01, 0.1]}")
    together = records(trials, digits, engine)
    for replica, trial in enumerate(trials):
        for (values, _), (alone, _) in zip(together, records([trial], digits, engine), strict=True):
            assert all(values[name][replica] == alone[name][0] for name in values)
    steps = 9 if batch == FULL else 40  # of which many leave a pixel black
    often, seldom = (
        records(group(f"norm: {{kind: {norm}}}", batch, training__steps=steps, evaluation__every=n), digits, engine)
        for n in (1, steps)
    )
    assert (often[-1][0]["test_loss"] == seldom[-1][0]["test_loss"]).all()


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_a_replica_that_diverges_leaves_the_others_untouched(digits, engine, batch):
    base = {"training__steps": 12, "evaluation__every": 12}
    (_, healthy) = group("norm: {kind: batch}", batch, **base)
    variants = "{A: {}, B: {training: {optimizer: {lr: 1.0e+20}}}}"
    together = records(group("norm: {kind: batch}", batch, **base, variants=variants), digits, engine)[-1][0]
    assert together["test_loss"][1] == records([healthy], digits, engine)[-1][0]["test_loss"][0]
    assert not np.isfinite(together["train_loss"][2:]).any()


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_a_resumed_training_has_the_same_bits(digits, engine, batch):
    trials = group("norm: {kind: renorm}", batch, training__steps=8, evaluation__every=2)
    whole, before, resumed = (loop.Training(trials, digits, engine=engine) for _ in range(3))
    want = [record for record in whole if record is not None]
    for record in before:
        if record is not None and record.step == 4:
            break
    resumed.load_state_dict(before.state_dict())
    rest = [record for record in resumed if record is not None]
    for got, expected in zip(rest, want[2:], strict=True):
        assert_same_bits(got.values, expected.values)
    assert_same_bits(resumed.state_dict(), whole.state_dict())


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_what_is_written_to_the_replicas_is_trained_after_reload(digits, engine, batch):
    trials = group("norm: {kind: batch}", batch)
    changed, fresh = (loop.Training(trials, digits, engine=engine) for _ in range(2))
    start = fresh.state_dict()
    advance(changed, 2)
    changed.engine.idle[0] = True
    changed.engine.replicas.load_state_dict({key: value for key, value in start.items() if key != "step"})
    changed.engine.reload()
    assert not changed.engine.idle.any()
    changed.step = 0
    for training in (changed, fresh):
        advance(training, 2)
    assert_same_bits(changed.state_dict(), fresh.state_dict())


@pytest.mark.parametrize("batch", [SMALL, FULL])
def test_the_sums_are_those_of_every_step(digits, engine, batch):
    at_once, one_by_one = (loop.Training(group("norm: {kind: batch}", batch), digits, engine=engine) for _ in range(2))
    advance(at_once, 4)
    means = []
    for _ in range(4):
        advance(one_by_one, 1)
        means.append(one_by_one.engine.replicas.training_means())
    loss, accuracy = at_once.engine.replicas.training_means()
    np.testing.assert_allclose(loss, np.mean([step[0] for step in means], axis=0), rtol=1e-12)
    np.testing.assert_allclose(accuracy, np.mean([step[1] for step in means], axis=0), rtol=1e-12)
