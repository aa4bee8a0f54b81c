"""Settings for a training set of known size: what fits it, and durations in steps."""

import pytest

from bnrenorm.errors import InputError
from tests.helpers import trials_of


def resolved(text, images=100):
    return trials_of(text, images)[0].settings


@pytest.mark.parametrize(("remainder", "micro_batch"), [("drop", 15), ("keep", 10), ("keep", 5)])
def test_a_micro_batch_divides_every_batch(remainder, micro_batch):
    text = f"training: {{batch: {{size: 30, remainder: {remainder}}}, micro_batch: {micro_batch}}}"
    assert resolved(text).training.micro_batch == micro_batch


def test_a_micro_batch_divides_the_last_batch_of_an_epoch_too():
    with pytest.raises(InputError, match="micro_batch is 15, which does not divide the batch of 10"):
        resolved("training: {batch: {size: 30, remainder: keep}, micro_batch: 15}")


def test_images_that_are_held_out_are_in_no_batch_and_no_epoch():
    text = "data: {validation: 40}\ntraining: {batch: SIZE, steps: 2 epochs}"
    assert resolved(text.replace("SIZE", "60")).training.steps.amount == 2
    assert resolved(text.replace("SIZE", "20")).training.steps.amount == 6
    with pytest.raises(InputError, match="batch has 61 images, but the training set 60"):
        resolved(text.replace("SIZE", "61"))


@pytest.mark.parametrize(
    ("size", "remainder", "steps"),
    [(20, "drop", 5), (20, "keep", 5), (30, "drop", 3), (30, "keep", 4), (100, "keep", 1)],
)
def test_an_epoch_has_a_step_more_where_images_remain_and_are_kept(size, remainder, steps):
    settings = resolved(f"training: {{batch: {{size: {size}, remainder: {remainder}}}, steps: 1 epoch}}")
    assert settings.training.steps.amount == steps


@pytest.mark.parametrize(("validation", "learning"), [(99, True), (100, False), (101, False)])
def test_an_image_at_least_is_left_to_learn_from(validation, learning):
    text = f"data: {{validation: {validation}}}\ntraining: {{batch: full}}"
    if learning:
        assert resolved(text).data.validation == validation
    else:
        with pytest.raises(InputError, match="which leaves none of the 100 training images to learn from"):
            resolved(text)


def test_a_schedule_is_in_steps():
    text = "norm: {kind: renorm, warmup: 1 epoch, ramp_r: 50%, ramp_d: 2 epochs}\ntraining: {batch: 20, steps: 30}"
    norm = resolved(text).norm
    assert [(d.amount, d.unit) for d in (norm.warmup, norm.ramp_r, norm.ramp_d)] == [
        (5, "steps"),
        (15, "steps"),
        (10, "steps"),
    ]


def test_a_warm_up_may_last_as_long_as_the_training_and_no_longer():
    text = "norm: {kind: renorm, warmup: WARMUP}\ntraining: {steps: 30}"
    assert resolved(text.replace("WARMUP", "30")).norm.warmup.amount == 30
    with pytest.raises(InputError, match="warmup is 31 steps, but the training has 30: it would stay BN"):
        resolved(text.replace("WARMUP", "31"))


@pytest.mark.parametrize(("every", "steps"), [("1%", 1), ("10%", 1), ("50%", 5), ("100%", 9), ("9", 9)])
def test_records_are_at_least_a_step_and_at_most_the_training_apart(every, steps):
    assert resolved(f"training: {{steps: 9}}\nevaluation: {{every: {every}}}").evaluation.every.amount == steps


@pytest.mark.parametrize("every", ["10", "0", "0%", "0.4 epochs"])
def test_other_intervals_of_records_are_refused(every):
    with pytest.raises(InputError, match="every is .* steps, expected 1 to the training's 9"):
        resolved(f"training: {{batch: full, steps: 9}}\nevaluation: {{every: {every}}}")


@pytest.mark.parametrize(("fraction", "kept"), [(0.15, False), (0.16, False), (0.17, True), (0.5, True)])
def test_exact_dropout_keeps_a_node_of_every_layer(fraction, kept):
    text = f"model: {{hidden: [10, 3], dropout: {{form: FORM, keep_hidden: {fraction}}}}}"
    assert resolved(text.replace("FORM", "inverted")).model.dropout.keep_hidden == fraction
    if kept:
        assert resolved(text.replace("FORM", "exact")).model.dropout.form == "exact"
    else:
        with pytest.raises(InputError, match=rf"keep_hidden is {fraction}, which keeps none of a layer's 3 nodes"):
            resolved(text.replace("FORM", "exact"))
