from itertools import permutations
from typing import Literal, get_args, get_origin

import numpy as np
import pytest

from bnrenorm.config.explain import models_of
from bnrenorm.config.norms import LayerNorm, Norm
from bnrenorm.config.schema import SGD, Batch, Optimizer, Settings
from bnrenorm.engines import spec
from tests.engines.groups import SETTINGS, group
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
    near_one = spec.hyperparams_of(trial("training: {optimizer: {kind: adam, beta1: 0.999, beta2: 0.999}}"))
    assert near_one.one_minus_beta1 == near_one.one_minus_beta2 == np.float32(0.001)  # 1 - float32(0.999) is not
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


class RMSNorm(LayerNorm):
    kind: Literal["rms"] = "rms"


class Nesterov(SGD):
    kind: Literal["nesterov"] = "nesterov"


def test_a_new_norm_or_optimizer_has_no_kernels():
    """The Chainer engine trains it. As what it derives from, or as batch normalisation, it would have wrong numbers."""
    settings = trial().settings
    norm = settings.model_copy(update={"norm": RMSNorm()})
    optimizer = settings.model_copy(update={"training": settings.training.model_copy(update={"optimizer": Nesterov()})})
    assert spec.uncompiled(norm) == "norm.kind: rms"
    assert spec.uncompiled(optimizer) == "training.optimizer.kind: nesterov"


KNOWN = {
    "Settings": "data model norm training evaluation",
    "Data": "path first_label validation scaling scaling_axis",
    "Model": "hidden outputs order activation output weight_init dropout",
    "Dropout": "form keep_input keep_hidden",
    "LayerNorm": "kind eps affine affine_lr",
    "BatchNorm": "kind semantics decay eps affine affine_gradient affine_lr",
    "Renorm": "kind semantics decay eps affine affine_gradient affine_lr r_max d_max warmup ramp_r ramp_d",
    "Training": "batch micro_batch steps optimizer loss weight_decay l1_decay early_stopping",
    "Full": "kind",
    "Iid": "kind size remainder shuffle",
    "ClassSorted": "kind size remainder shuffle",
    "NonIid": "kind classes size",
    "SGD": "kind lr",
    "MomentumSGD": "kind lr momentum",
    "Adam": "kind lr beta1 beta2 eps",
    "RMSprop": "kind lr alpha eps",
    "EarlyStopping": "patience watch",
    "Evaluation": "every statistics average training_set penalty parameters",
}
"""What all engines do as the Chainer engine does, or `uncompiled` names."""

APART = {"Activation", "LeakyReLU", "Scaled", "Normal", "Uniform", "Constant", "NoNorm", "Custom", "Duration"}
"""Groups that no kernel sees: initial weights, what the kernels have no code for, durations in steps."""


def test_no_engine_ignores_a_setting():
    groups, seen = [Settings], set()
    while groups:
        group = groups.pop()
        if group.__name__ in seen | APART:
            continue
        seen.add(group.__name__)
        groups += [model for field in group.model_fields.values() for model in models_of(field.annotation)]
        new = set(group.model_fields) - set(KNOWN.get(group.__name__, "kind").split())
        assert not new, (
            f"new in {group.__name__}: {', '.join(sorted(new))}. Compiled engines would ignore it: name it in `uncompiled` "
            "(bnrenorm/engines/spec.py), or let engines/cpu and engines/cuda follow it; then write it into KNOWN here; of a "
            "kind without kernels write the name of the group into APART"
        )


VALUES = {
    "Model.order": "linear-activation-norm linear-norm-activation",
    "Model.output": "softmax identity",
    "Dropout.form": "inverted exact",
    "LayerNorm.affine": "node layer none",
    "BatchNorm.semantics": "chainer paper",
    "BatchNorm.affine": "node layer none",
    "BatchNorm.affine_gradient": "sum mean",
    "Training.loss": "cross_entropy squared_error",
    "Evaluation.statistics": "running batch population",
}
"""Values that all engines take as the Chainer engine does, or `uncompiled` names."""


def test_no_engine_takes_a_value_for_another():
    groups, found = [Settings], {}
    while groups:
        group = groups.pop()
        for name, field in group.model_fields.items():
            groups += models_of(field.annotation)
            if get_origin(field.annotation) is Literal:
                found[f"{group.__name__}.{name}"] = " ".join(map(str, get_args(field.annotation)))
    new = {name: found.get(name) for name, values in VALUES.items() if found.get(name) != values}
    assert not new, f"{new}: `uncompiled` (bnrenorm/engines/spec.py) must name what engines/cpu and cuda do not follow"


def test_a_kind_is_no_other_kind():
    """`match` takes an instance of a subclass for its base, and pyright is content with it."""
    kinds = [models_of(union) for union in (Norm, Optimizer, Batch)]
    related = {(a.__name__, b.__name__) for of in kinds for a, b in permutations(of, 2) if issubclass(a, b)}
    assert related == {("Renorm", "BatchNorm"), ("ClassSorted", "Iid")}, "it would be trained as its base"


def test_whatever_has_kernels_is_compared_with_the_chainer_engine():
    settings = [trial.settings for text in SETTINGS.values() for trial in group(text)]
    lacking = set(spec.NORMS) - {type(each.norm) for each in settings}
    lacking |= set(spec.CODES) - {each.training.optimizer.kind for each in settings}
    assert not lacking, "write one into SETTINGS in tests/engines/groups.py"
