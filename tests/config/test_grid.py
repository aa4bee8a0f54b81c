"""The grid's axes: lists of values, named changes, and settings that only some variants have."""

import pytest

from bnrenorm.config.norms import NoNorm, Renorm
from bnrenorm.errors import InputError
from tests.helpers import experiment_of, trials_of

THREE = "name: a\nvariants: {none: {norm: {kind: none}}, BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm}}}\n"


def settings(text):
    return experiment_of(text).settings


def test_named_changes_are_one_axis_whose_points_have_their_names():
    text = f"""{THREE}grid:
  batches:
    whole: {{}}
    small: {{training: {{batch: 4, steps: 7}}, norm: {{decay: 0.5}}}}
    skewed: {{training: {{batch: {{kind: non_iid, classes: 2, size: 6}}}}}}
  training.optimizer.lr: [0.1, 0.2]
"""
    found = settings(text)
    assert list(dict.fromkeys(point for _, point in found)) == [
        (("batches", name), ("training.optimizer.lr", lr)) for name in ("whole", "small", "skewed") for lr in (0.1, 0.2)
    ]
    small = found["BN", (("batches", "small"), ("training.optimizer.lr", 0.2))]
    assert (small.training.batch.size, small.training.steps.amount, small.norm.decay) == (4, 7, 0.5)
    assert small.training.optimizer.lr == 0.2
    assert found["BN", (("batches", "whole"), ("training.optimizer.lr", 0.2))].norm.decay == 0.9
    assert found["none", (("batches", "skewed"), ("training.optimizer.lr", 0.1))].training.batch.kind == "non_iid"


def test_a_setting_that_a_kind_lacks_leaves_that_variant_as_it_is():
    found = settings(THREE + "grid: {norm.r_max: [1, 2], norm.decay: [0.5]}")
    for r_max in (1, 2):
        point = (("norm.r_max", r_max), ("norm.decay", 0.5))
        assert found["none", point].norm == NoNorm(kind="none")
        assert found["BN", point].norm.decay == 0.5
        assert isinstance(found["BRN", point].norm, Renorm)
        assert (found["BRN", point].norm.r_max, found["BRN", point].norm.decay) == (r_max, 0.5)


def test_a_part_of_named_changes_may_be_lacked():
    found = settings(THREE + "grid: {how: {so: {norm: {warmup: 3, decay: 0.2}, training: {steps: 9}}}}")
    point = (("how", "so"),)
    assert all(found[variant, point].training.steps.amount == 9 for variant in ("none", "BN", "BRN"))
    assert found["BN", point].norm.decay == 0.2
    assert found["BRN", point].norm.warmup.amount == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: {norm.r_mix: [1, 2]}", "x.yaml:3: unknown key 'norm.r_mix'"),
        ("grid: {training.stops: [1, 2]}", "x.yaml:3: unknown key 'training.stops'; did you mean training.steps"),
        ("grid:\n  how:\n    so: {training: {stops: 2}}", "x.yaml:5: unknown key 'training.stops'"),
        ("grid:\n  how:\n    so: {norm: {r_max: 0.5}}", "x.yaml:5: norm.r_max is 0.5"),
        ("grid:\n  how:\n    so: 3", "x.yaml:5: grid.how.so is 3, expected a group of settings"),
        ("grid: {how: {}}", "x.yaml:3: grid.how is {}, expected a list of values, or a group of named changes"),
        ("grid: {training.batch: [{size: 3}]}", "x.yaml:3: grid.training.batch has a group as a value; name the groups"),
        ("grid: {model.hidden: [[{a: 1}]]}", "x.yaml:3: model.hidden.0 is {a: 1}, expected a whole number"),
        ("grid: {training.optimizer.lr: [0.1, oops]}", "x.yaml:3: training.optimizer.lr is 'oops'"),
        ("grid: {training.optimizer.lr: 0.1}", "x.yaml:3: grid.training.optimizer.lr is 0.1, expected a list"),
        ("grid: {training.optimizer.lr: [0.1, 0.1]}", "x.yaml:3: grid.training.optimizer.lr has a repeated value"),
    ],
)  # fmt: skip
def test_mistakes_have_their_place(text, message):
    with pytest.raises(InputError) as error:
        settings(THREE + text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_micro_batches_are_no_setting_of_a_network_without_batch_statistics():
    """So that `none` is trained once for all of them."""
    text = THREE + "training: {batch: 8}\ngrid: {training.micro_batch: [2, 4]}"
    trials = experiment_of(text).trials(100)
    keys = {variant: {t.key("x", "cpu") for t in trials if t.variant == variant} for variant in ("none", "BN")}
    assert (len(keys["none"]), len(keys["BN"])) == (1, 2)


def test_a_share_of_few_steps_is_at_least_a_step():
    (trial,) = trials_of("training: {steps: 3}\nevaluation: {every: 10%}", 100)
    assert trial.settings.evaluation.every.amount == 1
