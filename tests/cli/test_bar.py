"""How far a training is, in one line of any width."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bnrenorm import config
from bnrenorm.cli import bar
from bnrenorm.runs.runner import Progress
from bnrenorm.training.records import Record
from tests.helpers import trials_of

TRIALS = config.load("quick").trials(1000)
VARIANTS = "variants: {BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm, r_max: 3, d_max: 5}}}\n"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def progress(done, losses=(1.0, 2.0), total=100, every=1):
    trials = trials_of(f"{VARIANTS}training: {{steps: 50}}\nevaluation: {{every: {every}}}")
    return Progress(done, total, trials, Record(done // 2, 1.0, {"train_loss": np.array(losses)}))


def test_before_the_first_record_no_count_is_claimed(clock):
    assert bar.line(bar.Pace(clock), 80) == "starting ..."


def test_the_time_left_is_by_the_mean_pace_and_runs_down_between_reports(clock):
    pace = bar.Pace(clock)
    assert pace.left() is None
    for done in (2, 4):
        clock.now += 5
        pace.update(progress(done))
    assert pace.left() == pytest.approx(96 * 10 / 4)
    clock.now += 40
    assert pace.left() == pytest.approx(200)
    clock.now += 1000
    assert pace.left() == 0


def test_steps_that_were_resumed_do_not_count_as_pace(clock):
    pace = bar.Pace(clock)
    clock.now = 5
    pace.update(progress(60))  # a record every step of two networks: 58 of these steps are a checkpoint's
    assert pace.left() == pytest.approx(40 * 5 / 2)


@pytest.mark.parametrize("width", [8, 12, 20, 30, 40, 60, 80])
def test_a_line_of_any_width_has_the_steps_and_the_time_and_whole_losses(clock, width):
    pace = bar.Pace(clock)
    clock.now = 1
    pace.update(progress(2, (1.5e14, 0.000123456)))
    line = bar.line(pace, width)
    assert line.startswith("2/100  0:49")
    assert len(line) <= width or line == "2/100  0:49"
    rest = line.removeprefix("2/100  0:49").removeprefix(" left")
    assert rest in ("", "  loss BN 1.5e14, ...", "  loss BN 1.5e14, BRN 0.000123")
    assert (rest == "") == (width < 37)


def test_diverged_trials_are_counted_and_stay_counted(clock):
    pace = bar.Pace(clock)
    clock.now = 1
    pace.update(progress(2, (np.nan, 2.0)))
    assert "  1 diverged  loss BN diverged, BRN 2" in bar.line(pace)
    pace.update(replace(progress(4), trials=TRIALS[:2]))
    assert pace.diverged == 1


def test_a_training_that_ended_early_is_complete(clock):
    pace = bar.Pace(clock)
    pace.update(progress(40))
    pace.is_complete = True
    assert bar.line(pace, 80).startswith("100/100  0:00 left")


@pytest.mark.parametrize(("loss", "text"), [(0.27354, "0.274"), (1.5e14, "1.5e14"), (2e-7, "2e-7"), (123.4, "123")])
def test_losses_are_short(loss, text):
    assert bar.losses(progress(2, (loss, loss)))[0] == f"BN {text}"


@pytest.mark.parametrize(("seconds", "text"), [(9, "0:09"), (59.2, "1:00"), (754, "12:34"), (3723, "1:02:03")])
def test_times_are_those_of_a_clock(clock, seconds, text):
    pace = bar.Pace(clock)
    clock.now = seconds
    pace.update(progress(2, total=4))
    assert re.match(rf"2/4  {text} left", bar.line(pace))


@pytest.mark.parametrize(
    ("width", "ending"),
    [(20, " left"), (34, "  group 2 of 7"), (45, "  group 2 of 7 (momentum 0.5)"), (80, "loss BN 1, BRN 2")],
)
def test_the_group_is_told_where_it_fits(clock, width, ending):
    pace = bar.Pace(clock)
    clock.now = 1
    trials = trials_of(f"{VARIANTS}training: {{steps: 50}}\ngrid: {{training.optimizer.momentum: [0.5]}}")
    pace.update(replace(progress(2), trials=trials, group=2, groups=7))
    assert bar.line(pace, width).endswith(ending)
