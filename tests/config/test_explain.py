"""What a message about an unknown key, or about a value that is no group, suggests."""

import pytest

from bnrenorm.errors import InputError
from tests.helpers import COMPARED, experiment_of


def refused(text, *overrides):
    with pytest.raises(InputError) as caught:
        experiment_of(text, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("override", "suggested"),
    [
        ("training.lr=1", "training.optimizer.lr"),
        ("lr=1", "training.optimizer.lr"),
        ("grid.lr=[1]", "training.optimizer.lr"),
        ("learning_rate=1", "training.optimizer.lr"),
        ("steps=1", "training.steps"),
        ("training_steps=1", "training.steps"),
        ("model.loss=squared_error", "training.loss"),
        ("norm.momentum=0.9", "norm.decay (1 - PyTorch's momentum)"),
        ("training.epochs=3", "training.steps (such as '3 epochs')"),
        ("momentum=0.9", "training.optimizer.momentum"),
        ("model.layers=[3]", "model.hidden"),
        ("norm.Epps=1", "norm.eps"),
        ("variants.BRN.kind=batch", "norm.kind"),
        ("Sead=1", "seeds"),
        ("training.optimizer.x=1", None),
        ("variants.BN.seeds=3", None),
    ],
)
def test_an_unknown_key_suggests_one_of_the_same_or_a_similar_name(override, suggested):
    message = refused(COMPARED, override)
    assert "unknown key" in message
    assert (f"; did you mean {suggested}? allowed: " if suggested else "'; allowed: ") in message


def test_another_schedule_than_the_papers_is_a_value_that_is_not_known():
    assert refused("name: a\nnorm: {kind: renorm, schedule: Paper}").startswith(
        "x.yaml:2: norm.schedule is 'Paper', expected paper; r_max, d_max, warmup, ramp_r and ramp_d"
    )


def test_the_beginning_of_a_name_is_enough_for_a_hint():
    message = refused("name: a", "model.weight_init=he")
    assert "unknown kind 'he'; did you mean he_normal? allowed: " in message


def test_a_setting_of_another_kind_says_of_which():
    assert refused("name: a\nnorm: {kind: batch, r_max: 3}") == (
        "x.yaml:2: norm.r_max is a setting of kind renorm, but kind is batch"
    )
    assert refused("name: a", "model.activation={kind: relu, alpha: 0.1}").endswith(
        "is a setting of kind leaky_relu, but kind is relu"
    )
    assert refused("name: a\nvariants: {A: {norm: {kind: batch, r_max: 3}}, B: {norm: {kind: renorm}}}") == (
        "x.yaml:2: norm.r_max is a setting of kind renorm, but kind is batch"
    ), "and not to be set for the other variant"
    assert refused("name: a\nnorm: {kind: batch, batch: 3}").startswith("x.yaml:2: unknown key 'norm.batch'; ")


def test_a_mistake_of_a_group_is_that_of_the_option_that_set_a_part_of_it_last():
    options = [f"model.weight_init.{part}" for part in ("kind=uniform", "min=1", "max=0")]
    assert refused("name: a", *options).startswith("--set model.weight_init.max=0: model.weight_init is {")
    message = refused("name: a\ntraining:\n  batch: {kind: iid, size: 3}", "training.batch.kind=non_iid")
    assert message == "--set training.batch.kind=non_iid: training.batch.classes is missing"


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("norm: batch", ": the normalisation, such as {kind: batch}"),
        ("training: {optimizer: Adam}", ": update rule of the parameters, such as {kind: sgd}"),
        ("variants: {BN: batch}", "variants.BN is 'batch', expected a group such as {norm: {kind: batch}}"),
        ("data: x.npz", "; did you mean data.path?"),
        ("data: [x]", ": images and their preprocessing"),
    ],
)
def test_a_value_that_is_no_group_shows_one(text, ending):
    assert refused(f"name: a\n{text}").endswith(ending)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.micro_batch=none", "a whole number or null"),
        ("training.micro_batch=0", "a whole number from 1 on or null"),
        ("evaluation.average=1", "a number below 1 or null"),
        ("data.scaling_axis=none", "0 or null"),
        (f"data.scaling_axis={10**30}", "a number with fewer digits or null"),
        ("data.path=1", "text or null"),
        ("training.early_stopping=1", "null: train for all of `training.steps`"),
        ("training.steps=none", "a duration such as 50, 50 steps, 2 epochs or 10%"),
        ("model.hidden=[none]", "a whole number"),
    ],
)
def test_what_is_expected_names_null_where_it_may_be(override, expected):
    message = refused("name: a", override)
    assert ", expected " in message
    assert message.endswith(expected)
