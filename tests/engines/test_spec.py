import numpy as np
import pytest

from bnrenorm.engines import spec
from tests.helpers import trials_of


def trial(text=""):
    return trials_of(text, 100)[0]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", {"norm": spec.BATCH, "affine": spec.NODE, "optimizer": spec.MOMENTUM, "micro_batch": 0}),
        ("norm: {kind: renorm, semantics: paper}", {"norm": spec.BATCH, "track_std": 1}),
        ("norm: {kind: batch, affine: layer, affine_gradient: mean}", {"affine": spec.SHARED, "mean_gradient": 1}),
        ("norm: {kind: layer, affine: none}", {"norm": spec.LAYER, "affine": spec.FIXED, "track_std": 0}),
        ("norm: {kind: none}", {"norm": spec.NONE, "affine": spec.FIXED}),
        ("model: {order: linear-norm-activation}", {"norm_first": 1}),
        ("training: {optimizer: {kind: adam}, micro_batch: 20}", {"optimizer": spec.ADAM, "micro_batch": 20}),
    ],
)
def test_a_specification_is_of_the_settings(text, want):
    got = spec.spec_of(trial(text).settings)
    assert {name: getattr(got, name) for name in want} == want


def test_hyperparameters_are_the_trials_as_float32():
    text = """
norm: {kind: batch, decay: 0.7, eps: 0.01}
training: {weight_decay: 0.1, l1_decay: 0.2, optimizer: {kind: adam, beta1: 0.8, beta2: 0.95, eps: 0.3}}
evaluation: {average: 0.6}
"""
    got = spec.hyperparams_of(trial(text))
    assert all(type(value) is np.float32 for value in got)
    want = {"decay": 0.7, "eps": 0.01, "momentum": 0, "one_minus_beta1": 0.2, "one_minus_beta2": 0.05, "alpha": 0,
            "optimizer_eps": 0.3, "l2": 0.1, "l1": 0.2, "average_decay": 0.6}  # fmt: skip
    assert got._asdict() == pytest.approx(want, rel=1e-6)
    assert spec.hyperparams_of(trial("training: {optimizer: {kind: rmsprop, alpha: 0.8}}")).alpha == np.float32(0.8)
    assert spec.hyperparams_of(trial("training: {optimizer: {momentum: 0.5}}")).momentum == np.float32(0.5)


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("", ""),
        ("model: {activation: tanh}", "model.activation: tanh"),
        (
            "model: {activation: leaky_relu, output: identity}\ntraining: {loss: squared_error}",
            "model.activation: leaky_relu, model.output: identity, training.loss: squared_error",
        ),
        ("model: {dropout: {keep_input: 0.5}}", "model.dropout.form: inverted"),
        ("model: {dropout: {keep_input: 0.5, form: exact}}", ""),
    ],
)
def test_settings_without_kernels_are_named(text, lacking):
    settings = trial(text).settings
    assert (spec.uncompiled(settings), spec.is_compiled(settings)) == (lacking, not lacking)
