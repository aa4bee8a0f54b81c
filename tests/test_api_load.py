"""What `bnrenorm.load` takes in place of YAML, and what it says of mistakes."""

import numpy as np
import pytest

import bnrenorm
from tests.helpers import COMPARED


@pytest.mark.parametrize(
    ("overrides", "plain"),
    [
        ({"training__steps": np.int64(3)}, {"training__steps": 3}),
        ({"training__optimizer__lr": np.float64(0.5)}, {"training__optimizer__lr": 0.5}),
        ({"training__optimizer": {"lr": np.float32(0.5)}}, {"training__optimizer": {"lr": 0.5}}),
        ({"seeds": range(1, 3), "data": {"validation": 9}}, {"seeds": [1, 2], "data__validation": 9}),
        ({"seeds": np.arange(2)}, {"seeds": [0, 1]}),
        ({"model__hidden": (20, 10)}, {"model__hidden": [20, 10]}),
        ({"grid": {"training.l1_decay": np.array([0.5, 1.0])}}, {"grid": {"training.l1_decay": [0.5, 1.0]}}),
    ],
)
def test_numbers_and_sequences_of_numpy_and_python_are_those_of_yaml(config_file, overrides, plain):
    """Their digest is the same, and so are the run folder and the stored trials."""
    one, other = (bnrenorm.load(config_file(), **values).resolved() for values in (overrides, plain))
    assert one == other
    assert repr(one) == repr(other)


def test_the_name_of_an_experiment_may_be_overridden(config_file):
    assert bnrenorm.load(config_file(), name="mine").name == "mine"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training__steps": 0}, "training.steps=0: training.steps is 0 steps, expected 1 to"),
        ({"trainin__steps": 3}, "unknown key 'trainin'; did you mean training"),
        ({"seeds": [1, 1]}, "repeated seed"),
        ({"seeds": 0}, "seeds"),
    ],
)
def test_bad_overrides_are_named(config_file, overrides, message):
    with pytest.raises(bnrenorm.InputError, match=message):
        bnrenorm.load(config_file(COMPARED), **overrides).trials(100)


@pytest.mark.parametrize("name", ["batch", "batches", "order", "output", "momentum", "activations"])
def test_a_setting_without_its_group_is_taken_for_no_argument_of_run(name):
    with pytest.raises(bnrenorm.InputError, match=f"{name}=4: unknown key '{name}'; did you mean "):
        bnrenorm.load("quick", **{name: 4})


@pytest.mark.parametrize(
    ("overrides", "argument"),
    [
        ({"data": np.zeros((9, 784))}, "data=ndarray (9, 784)"),
        ({"data": {"x_train": np.zeros((9, 784)), "y_train": np.zeros(9)}}, "data=ndarray (9, 784)"),
        ({"data__path": [1]}, "data__path=[1]"),
        ({"data__path": {"x_train": np.zeros((9, 784))}}, "data__path={'x_train': array(["),
    ],
)
def test_images_in_place_of_their_path_are_told_from_it(overrides, argument):
    with pytest.raises(TypeError) as error:
        bnrenorm.load("quick", **overrides)
    assert str(error.value).startswith(argument)
    assert "expected a path: save the images with np.savez, and give the file as data__path" in str(error.value)
    assert len(str(error.value)) < 160


def test_a_group_of_settings_with_numpys_numbers_is_no_images():
    assert bnrenorm.load("quick", data={"validation": np.int64(9)}).data.validation == 9
