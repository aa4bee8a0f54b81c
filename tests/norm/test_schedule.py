import numpy as np
import pytest

import bnrenorm
from bnrenorm.config.shorthands import PAPER_SCHEDULE
from bnrenorm.norm.schedule import Ramp


@pytest.mark.parametrize(
    ("step", "want"),
    [(0, 1.0), (5_000, 1.0), (22_500, 2.0), (39_999, 1 + 2 * 34_999 / 35_000), (40_000, 3.0), (10**9, 3.0)],
)
def test_the_papers_r_max(step, want):
    """r_max is 1 for 5,000 steps, then rises to 3 at step 40,000. [BRN17, sec. 4.1]"""
    assert Ramp(1.0, 3.0, start=5_000, length=35_000)(step) == pytest.approx(want, rel=1e-12)


def test_length_zero_is_a_jump():
    limit = Ramp(0.0, 5.0, start=3)
    assert [limit(step) for step in range(5)] == [0, 0, 0, 5, 5]


def test_length_one_ends_a_step_behind_the_start():
    limit = Ramp(0.0, 5.0, start=3, length=1)
    assert [limit(step) for step in range(6)] == [0, 0, 0, 0, 5, 5]


def test_the_end_is_reached_exactly():
    assert Ramp(1.0, 1.1, length=7)(7) == 1.1


def test_one_element_per_replica():
    limit = Ramp(1.0, np.array([1.0, 3.0, 2.0]), start=np.array([0, 2, 0]), length=np.array([0, 4, 2]))
    assert [list(limit(step)) for step in (0, 1, 4, 6)] == [[1, 1, 1], [1, 1, 1.5], [1, 2, 2], [1, 3, 2]]


def test_lists_are_arrays():
    limit = Ramp([1, 2], (3, 4), length=10)
    assert list(limit(5)) == [2, 3]


def test_many_steps_at_once_have_the_bits_of_every_step_alone(rng):
    first, last, start, length = rng.normal(size=(4, 5, 1))
    limit = Ramp(first, last, start=np.round(9 * abs(start)), length=np.round(30 * abs(length)))
    steps = np.arange(60).reshape(-1, 1, 1)
    assert (limit(steps) == np.stack([limit(step) for step in range(60)])).all()


def test_a_number_comes_out_as_a_python_float():
    """NumPy scalars of float64 would make float32 arrays float64 (NEP 50)."""
    assert type(Ramp(1, 3, length=10)(5)) is float


def test_the_public_preset_is_the_configs_shorthand():
    r_max, d_max = bnrenorm.PAPER_SCHEDULE["r_max"], bnrenorm.PAPER_SCHEDULE["d_max"]
    assert (r_max.first, d_max.first) == (1, 0)
    assert r_max.start == d_max.start == PAPER_SCHEDULE["warmup"]
    assert (r_max.last, d_max.last) == (PAPER_SCHEDULE["r_max"], PAPER_SCHEDULE["d_max"])
    assert (r_max.length, d_max.length) == (PAPER_SCHEDULE["ramp_r"], PAPER_SCHEDULE["ramp_d"])


def test_what_is_no_ramp_is_refused():
    with pytest.raises(TypeError, match="Ramp: last is '3', expected a number"):
        bnrenorm.Ramp(1, "3")
    with pytest.raises(bnrenorm.InputError, match="Ramp: length is -1, expected a number of steps"):
        bnrenorm.Ramp(1, 3, length=-1)
    with pytest.raises(bnrenorm.InputError, match="Ramp: start is nan, expected a finite number"):
        bnrenorm.Ramp(1, 3, start=float("nan"))
    with pytest.raises(bnrenorm.InputError, match=r"shapes that do not broadcast: \[\(2,\), \(3,\), \(\), \(\)\]"):
        bnrenorm.Ramp([1, 2], [3, 4, 5])
