"""How far a training is, in one line of any width."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bnrenorm import config
from bnrenorm.cli import bar
from bnrenorm.runs.pace import Pace
from tests.helpers import Clock, progress, trials_of

TRIALS = config.load("quick").trials(1000)


def test_before_the_first_record_no_count_is_claimed():
    clock = Clock()
    assert bar.line(Pace(clock), 80) == "starting ..."


@pytest.mark.parametrize("width", [8, 12, 20, 30, 40, 60, 80])
def test_a_line_of_any_width_has_the_steps_and_the_time_and_whole_losses(width):
    clock = Clock()
    pace = Pace(clock)
    clock.now = 1
    pace.update(progress(2, (1.5e14, 0.000123456)))
    line = bar.line(pace, width)
    assert line.startswith("2/100  0:49")
    assert len(line) <= width or line == "2/100  0:49"
    rest = line.removeprefix("2/100  0:49").removeprefix(" left")
    assert rest in ("", "  loss BN 1.5e14, ...", "  loss BN 1.5e14, BRN 0.000123")
    assert (rest == "") == (width < 37)


def test_diverged_trials_are_counted_and_stay_counted():
    clock = Clock()
    pace = Pace(clock)
    clock.now = 1
    pace.update(progress(2, (np.nan, 2.0)))
    assert "  1 diverged  loss BN diverged, BRN 2" in bar.line(pace)
    pace.update(replace(progress(4), trials=TRIALS[:2]))
    assert pace.diverged == 1


def test_a_training_that_ended_early_is_complete():
    clock = Clock()
    pace = Pace(clock)
    clock.now = 1
    pace.update(progress(40))
    assert bar.line(pace, 80).startswith("40/100  0:30 left")
    pace.is_complete = True
    assert bar.line(pace, 80).startswith("100/100  0:00 left")


@pytest.mark.parametrize(("seconds", "text"), [(9, "0:09"), (59.2, "1:00"), (754, "12:34"), (3723, "1:02:03")])
def test_times_are_those_of_a_clock(seconds, text):
    clock = Clock()
    pace = Pace(clock)
    clock.now = seconds
    pace.update(progress(2, total=4))
    assert re.match(rf"2/4  {text} left", bar.line(pace))


@pytest.mark.parametrize(
    ("width", "ending"),
    [(20, " left"), (34, "  group 2 of 7"), (45, "  group 2 of 7 (momentum 0.5)"), (80, "loss BN 1, BRN 2")],
)
def test_the_group_is_told_where_it_fits(width, ending):
    clock = Clock()
    pace = Pace(clock)
    clock.now = 1
    trials = trials_of("variants: {BN: {}, BRN: {}}\ngrid: {training.optimizer.momentum: [0.5]}")
    pace.update(replace(progress(2), trials=trials, group=2, groups=7))
    assert bar.line(pace, width).endswith(ending)
