import numpy as np
import pytest

from bnrenorm.cli.proof import rows
from bnrenorm.cli.proof.rows import Row
from bnrenorm.engines.chainer import ChainerEngine


def test_a_row_is_a_line_of_a_markdown_table():
    assert str(Row("copy", "3 TB/s")) == "| copy | 3 TB/s |  | ok |"
    assert str(Row("bits", "2 differ", "equal", False)) == "| bits | 2 differ | equal | BAD |"
    head, rule = rows.HEAD.splitlines()
    assert head.count("|") == rule.count("|") == str(Row("a", "b")).count("|")


@pytest.mark.parametrize(("value", "ok"), [(1e-7, True), (1e-6, False), (2.0, False), (np.nan, False), (np.inf, False)])
def test_an_error_is_fine_below_its_limit(value, ok):
    row = rows.below("loss", value, 1e-6)
    assert (row.ok, row.expected) == (ok, "below 1e-06")


def test_a_check_that_raises_is_a_bad_row_and_keeps_what_came_before():
    def compute():
        yield Row("first", "fine")
        raise MemoryError("of the\ncard")

    first, fault = rows.guarded("second", compute())
    assert first.ok
    assert fault == Row("second", "MemoryError: of the card", "no error", False)


def test_an_experiment_takes_keys_with_dots():
    trials = rows.trials("seeds: 2\ntraining: {steps: 3}\ntraining.batch: 7\nnorm.kind: none", rows.noise(20, 5, 3))
    assert [trial.seed for trial in trials] == [0, 1]
    settings = trials[0].settings
    assert (settings.training.batch.size, settings.training.steps.amount, settings.norm.kind) == (7, 3, "none")
    assert settings.model.outputs == 3
    (trial,) = rows.trials("training: {batch: 10, steps: 2 epochs}", rows.noise(20, 5, 3))
    assert trial.settings.training.steps.amount == 4, "two epochs of 20 images"


def test_digits_are_as_many_as_are_asked_for():
    data = rows.digits(30, 20)
    assert [len(array) for array in (data.x_train, data.y_train, data.x_test, data.y_test)] == [30, 30, 20, 20]


def test_noise_is_the_same_again_and_has_every_class_and_black_pixels():
    data = rows.noise(21, 50, 7)
    rows.noise.cache_clear()
    assert (rows.noise(21, 50, 7).x_train == data.x_train).all()
    assert (np.bincount(data.y_train) == 3).all()
    assert 0.3 < (data.x_train == 0).mean() < 0.7


def test_the_reference_is_the_chainer_engine_in_double_precision():
    data = rows.digits(100, 50)
    training = rows.double_reference(rows.trials("model: {hidden: [5]}\ntraining: {steps: 2}", data), data)
    assert isinstance(training.engine, ChainerEngine)
    for _ in training:
        pass
    state = training.state_dict()
    assert all(value.dtype == np.float64 for name, value in state.items() if name.startswith(("weights", "optimizer")))
