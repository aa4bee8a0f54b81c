"""What the drop-in links refuse: what Chainer's links do, at once and in one line."""

import pickle

import numpy as np
import pytest

import bnrenorm
from bnrenorm._compat import L, chainer
from tests.norm.drop_in import batches, make_ours


@pytest.mark.parametrize("shape", [(2, 4), (2, 5, 3, 4), (2, 1), (3,), ()])
@pytest.mark.parametrize("mode", [True, False])
def test_another_shape_is_refused_in_both_modes(pair, shape, mode):
    x = np.zeros(shape, np.float32)
    ours, stock = (make() for make in pair)
    with chainer.using_config("train", mode), pytest.raises(chainer.utils.type_check.InvalidType) as refusal:
        ours(x)
    assert isinstance(refusal.value, bnrenorm.InputError)
    expected = "(3,) on the axes other than (0," if shape else "an axis 0 to average over"
    assert str(refusal.value).startswith(f"x has shape {shape}, expected {expected}")
    assert "\n" not in str(refusal.value)
    if shape:
        with chainer.using_config("train", mode), pytest.raises(chainer.utils.type_check.InvalidType):
            stock(x)


def test_a_refusal_of_another_process_is_still_an_input_error():
    with pytest.raises(bnrenorm.InputError) as refusal:
        bnrenorm.BatchNormalization(3)(np.zeros((2, 4), np.float32))
    copy = pickle.loads(pickle.dumps(refusal.value))
    assert isinstance(copy, bnrenorm.InputError)
    assert str(copy) == str(refusal.value)
    assert (copy.expect, copy.actual) == ((3,), (2, 4))


def test_a_wrong_first_batch_does_not_fix_the_size(rng):
    link = bnrenorm.BatchNormalization(axis=(0, 2))
    for shape, expected in (((5, 3), "an axis 2 to average over"), ((5, 0, 2), "at least 1 feature on the axes other")):
        with pytest.raises(bnrenorm.InputError, match=f"expected {expected}"):
            link(np.zeros(shape, np.float32))
    assert link(batches(rng, (5, 4, 2))[0]).shape == (5, 4, 2)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"size": {}}, "size is {}, expected an int, a tuple of ints or None"),
        ({"size": 3.5}, "size is 3.5"),
        ({"size": "3"}, "size is '3'"),
        ({"size": (3, None)}, r"size is \(3, None\)"),
        ({"axis": "0"}, "axis is '0'"),
        ({"decay": "0.9"}, "decay is '0.9', expected a number"),
        ({"eps": [1e-5]}, r"eps is \[1e-05\]"),
        ({"eps": True}, "eps is True"),
        ({"r_max": None}, "r_max is None"),
        ({"rmax": "3"}, "r_max is '3'"),
        ({"d_max": lambda step: "5"}, "d_max is '5'"),
        ({"dtype": np.int32}, "dtype is int32, expected float16"),
        ({"dtype": "no"}, "no"),
        ({"momentum": 0.9}, "momentum is called decay here"),
        ({"epsilon": 1e-3, "name": "bn"}, "^BatchRenormalization has no argument epsilon, name$"),
        ({"initial_gamma": [1, 2]}, "invalid type of initializer"),
    ],
)
def test_an_argument_of_another_type_is_a_type_error(named, message):
    with pytest.raises(TypeError, match=message) as refusal:
        bnrenorm.BatchRenormalization(**{"size": 3, **named})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("axis", [(2, 0), (-1,), (0, 0), ()])
def test_an_axis_that_chainer_refuses_late_is_refused_at_once(axis):
    with pytest.raises(bnrenorm.InputError, match="expected the axes to average over, in ascending order from 0 on"):
        bnrenorm.BatchNormalization(3, axis=axis)


@pytest.mark.parametrize("semantics", ["chainer", "paper"])
def test_a_running_variance_that_has_no_root_is_refused(semantics):
    for variance in (-1, np.nan, np.array([1, 1, -2])):
        with pytest.raises(
            bnrenorm.InputError, match=r"^initial_avg_var is .* expected positive numbers, eps included"
        ):
            bnrenorm.BatchNormalization(3, initial_avg_var=variance, semantics=semantics)
    bnrenorm.BatchNormalization(3, eps=2.0, semantics=semantics)


def test_calls_that_chainer_refuses_are_refused(rng):
    (x,) = batches(rng, count=1)
    for link in (bnrenorm.BatchNormalization(3), L.BatchNormalization(3)):
        with pytest.raises(ValueError, match="test argument is not supported anymore"):
            link(x, test=True)
        with pytest.raises(TypeError):
            link(x, True)
        with pytest.raises(TypeError, match="unknown"):
            link(x, unknown=1)
    for cls in (bnrenorm.BatchNormalization, bnrenorm.BatchRenormalization, L.BatchNormalization):
        with pytest.raises(RuntimeError, match="size or axis is required"):
            cls()


def test_integers_are_no_data():
    with pytest.raises(bnrenorm.InputError, match="x has dtype int64, expected float16, float32 or float64"):
        bnrenorm.BatchNormalization(3)(np.zeros((2, 3), np.int64))


def test_one_example_is_warned_of_where_chainer_warns(pair):
    x = np.ones((1, 3), np.float32)
    for link in (bnrenorm.BatchNormalization(3), L.BatchNormalization(3)):
        with pytest.warns(UserWarning, match="batch"):
            link(x)
    make_ours()(x)
