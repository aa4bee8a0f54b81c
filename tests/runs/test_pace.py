"""The pace of a training, and what is left of it."""

import pytest

from bnrenorm.runs.pace import Pace
from tests.helpers import Clock, progress


def test_the_time_left_is_by_the_mean_pace_and_runs_down_between_reports():
    clock = Clock()
    pace = Pace(clock)
    assert pace.left() is None
    for done in (2, 4):
        clock.now += 5
        pace.update(progress(done))
    assert pace.left() == pytest.approx(96 * 10 / 4)
    clock.now += 40
    assert pace.left() == pytest.approx(200)
    clock.now += 1000
    assert pace.left() == 0


def test_steps_that_were_resumed_do_not_count_as_pace():
    clock = Clock()
    pace = Pace(clock)
    clock.now = 5
    pace.update(progress(60))  # a record every step of two networks: 58 of these steps are a checkpoint's
    assert pace.left() == pytest.approx(40 * 5 / 2)


def test_a_group_that_another_worker_begins_again_has_been_trained_that_far_all_the_same():
    clock = Clock()
    pace = Pace(clock)
    for done in (6, 2):
        clock.now += 5
        pace.update(progress(done))
    assert pace.left() == pytest.approx(98 * 10 / 2), "two replica-steps were seen: the first report may be a resume"
