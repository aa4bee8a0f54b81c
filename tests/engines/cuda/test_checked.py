"""A launch that differs from its formula, or leaves an output out, is told; by launches of a device made of NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest

from bnrenorm.engines.cuda.checked import Checked
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.cuda.rows import divide
from bnrenorm.engines.spec import ADAM
from tests.engines.cuda.kernels.cases import context_of, kernel_spec


class DeviceArray(np.ndarray):
    """An array that is copied to the host as CuPy's are, and has an address."""

    def get(self):
        return np.array(self)

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)


class Device:
    """A GPU whose kernels are the formulas, but for those of `broken`."""

    xp = SimpleNamespace(ndarray=DeviceArray)
    shared_memory = 2**16

    def __init__(self, **broken):
        self.formulas, self.broken = Reference(), broken

    def __getattr__(self, name):
        return self.broken.get(name) or getattr(self.formulas, name)


def on_device(*arrays):
    return [np.array(array, np.float32).view(DeviceArray) for array in arrays]


@pytest.fixture
def arrays(rng):
    return on_device(rng.normal(size=(2, 7, 5)), np.zeros((2, 1, 5)))


def test_a_launch_that_computes_its_formula_has_an_error_of_rounding(arrays):
    checked = Checked(Device())
    g, partial = arrays
    checked.column_sums(g, divide(7), partial)
    np.testing.assert_allclose(partial[:, 0], g.sum(axis=1), rtol=1e-5)
    assert 0 < checked.errors["column_sums"] < 1e-6


def test_a_wrong_launch_is_told_by_its_relative_error(arrays):
    def doubled(g, rows, partial):
        partial[:, 0] = 2 * g.sum(axis=1)

    checked = Checked(Device(column_sums=doubled))
    checked.column_sums(arrays[0], divide(7), partial=arrays[1])
    assert checked.errors["column_sums"] == pytest.approx(1, rel=1e-5)


def test_an_output_that_is_left_out_is_an_infinite_error(arrays):
    checked = Checked(Device(column_sums=lambda g, rows, partial: None))
    checked.column_sums(arrays[0], divide(7), arrays[1])
    assert checked.errors["column_sums"] == np.inf


def test_an_input_that_is_written_to_is_told(arrays):
    def damages(g, rows, partial):
        Reference().column_sums(g, rows, partial)
        g[0, 0, 0] += 1

    checked = Checked(Device(column_sums=damages))
    checked.column_sums(arrays[0], divide(7), arrays[1])
    assert checked.errors["column_sums"] > 0.1


def test_arrays_within_tuples_are_compared_and_the_worst_call_counts(rng):
    def forgets_the_second_moment(tensor, gradient, context):
        before = tensor.exp_avg_sq.copy()
        Reference().update_weights(tensor, gradient, context)
        tensor.exp_avg_sq[...] = before

    w, m, s, gradient = on_device(*(rng.random((1, 3, 4)) for _ in range(4)))
    context = context_of(kernel_spec(optimizer=ADAM), *on_device(rng.random((1, 10)), rng.random((1, 4))))
    device = Device(update_weights=forgets_the_second_moment)
    checked = Checked(device)
    checked.update_weights(Tensor(w, m, s, None), gradient, context)
    error = checked.errors["update_weights"]
    assert error > 0.01
    device.broken.clear()
    checked.update_weights(Tensor(w, m, s, None), gradient, context)
    assert checked.errors["update_weights"] == error


def test_one_array_in_two_places_stays_one(rng):
    """The formula reads what it has written, as the launch does."""
    seen = []

    class Watching(Reference):
        def column_sums(self, g, rows, partial):
            seen.append(g is partial)

    checked = Checked(Device(column_sums=lambda g, rows, partial: None))
    checked.reference = Watching()
    (g,) = on_device(rng.random((1, 2, 3)))
    checked.column_sums(g, divide(2), g)
    assert seen == [True]


def test_what_is_no_kernel_goes_to_the_device():
    with Checked(Device()).math_mode(True):
        pass


def test_thirds_are_compared_as_numbers(rng):
    """Other bits of nearly the same numbers are a small error; another number is not."""
    (a,) = on_device(rng.random((1, 5, 7)))
    for factor, low, high in ((1 + 2e-7, 1e-8, 1e-6), (1.01, 0.005, 0.02)):
        parts = np.zeros((1, 5, 3, 8), np.uint16).view(DeviceArray)
        device = Device(split=lambda a, parts, by=factor: Reference().split(a * np.float32(by), parts))
        checked = Checked(device)
        checked.split(a, parts)
        assert low < checked.errors["split"] < high


def test_a_step_that_is_taken_again_is_compared_again(arrays):
    def recorded(step):
        raise AssertionError("a graph")

    g, partial = arrays
    checked = Checked(Device(recorded=recorded))
    again = checked.recorded(lambda: checked.column_sums(g, divide(7), partial))
    checked.errors.clear()
    again()
    assert set(checked.errors) == {"column_sums"}
