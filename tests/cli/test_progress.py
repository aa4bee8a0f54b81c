"""What is shown while a session runs, on a terminal and elsewhere."""

import io
import os
import re

import numpy as np
import pytest

from bnrenorm import config
from bnrenorm.cli import progress
from bnrenorm.cli.sheet import Sheet
from bnrenorm.runs.runner import Progress
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, experiment_of, opened, some_digits


def progress_at(step, total=50):
    trials = config.load("quick", ["seeds=2"]).trials(1000)[::2]
    return Progress(2 * step, 2 * total, trials, Record(step, float(step), {"train_loss": np.array([1.0, 2.0])}))


def screen(*, is_terminal=False, width=120):
    file = io.StringIO()
    return progress.Screen(file=file, force_terminal=is_terminal, width=width), file


def test_plain_lines_are_the_first_and_one_per_tenth_with_the_time_left():
    shown, file = screen()
    with shown.training() as show:
        for step in range(1, 51):
            show(progress_at(step))
    lines = file.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith("100 %  step 50  loss BN 1, BRN 2")
    assert all(line.endswith("s left") for line in lines)
    assert "\x1b" not in file.getvalue()


def test_a_record_before_the_first_step_is_no_line():
    shown, file = screen()
    with shown.training() as show:
        show(progress_at(0))
        assert file.getvalue() == ""
        show(progress_at(1))
    assert file.getvalue().startswith("  2 %  step 1 ")


def interrupted_bar(width, step, total=50):
    """Return what a bar shows when the training is interrupted after a step."""
    shown, file = screen(is_terminal=True, width=width)
    with pytest.raises(KeyboardInterrupt), shown.training() as show:  # noqa: PT012 - the bar is what is tested
        assert "0/" not in file.getvalue(), "no count before there is one"
        show(progress_at(step, total))
        raise KeyboardInterrupt
    return file.getvalue()


def test_a_bar_ends_with_the_total():
    shown, file = screen(is_terminal=True)
    with shown.training() as show:
        show(progress_at(25))
    assert "100/100  0:00 left" in file.getvalue()


def test_a_bar_of_nothing_to_train_leaves_no_line():
    shown, file = screen(is_terminal=True)
    with shown.training():
        pass
    assert "100" not in file.getvalue()


def test_a_terminal_without_control_codes_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    shown, file = screen(is_terminal=True)
    with shown.training() as show:
        show(progress_at(50))
    assert file.getvalue().startswith("100 %  step 50")


@pytest.mark.parametrize("width", [20, 33, 34, 50, 60, 80, 103, 200])
def test_a_bar_of_any_width_shows_how_far_it_is(width):
    text = interrupted_bar(width, 25, 5000)
    assert re.search(r"50/10000  \d+:\d\d", text)
    assert ("loss BN 1, BRN 2" in text) == (width >= 50)


def test_a_note_is_a_line():
    shown, file = screen()
    shown.note("trials/x.json is not as it was written: trained again")
    assert file.getvalue() == "Note: trials/x.json is not as it was written: trained again.\n"


def shown_table(width, *, is_terminal):
    shown, file = screen(is_terminal=is_terminal, width=width)
    sheet = Sheet("means ± spreads")
    sheet.add("variant", ["[a]"])
    sheet.add("test loss", ["0.2550 ± 0.0071 nats"], rank=0, is_number=True)
    shown.table(sheet)
    return file.getvalue()


def test_a_terminal_is_told_which_columns_it_is_too_narrow_for():
    text = shown_table(20, is_terminal=True)
    assert "[a]" in text
    assert "nats" not in text
    assert text.endswith("Left out, for want\nof width: test loss.\n")


def test_a_file_gets_whole_tables_and_whole_lines():
    assert "0.2550 ± 0.0071 nats" in shown_table(20, is_terminal=False)
    shown, file = screen(width=20)
    shown.say("word " * 99)
    assert file.getvalue().count("\n") == 1


def test_a_terminal_breaks_lines_between_words_and_paths_nowhere():
    shown, file = screen(is_terminal=True, width=20)
    shown.say("Tables and a few figures: runs/a-rather-long-name-0123abcd")
    assert file.getvalue().splitlines() == ["Tables and a few", "figures:", "runs/a-rather-long-name-0123abcd"]


def test_an_encoding_without_a_character_gets_another():
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    progress.Screen(file=file, width=80).say("1 ± 2 Ä")
    file.seek(0)
    assert file.read() == "1 +- 2 \\xc4\n"


def test_the_opening_says_what_is_trained_and_where():
    shown, file = screen()
    experiment = experiment_of(COMPARED)
    shown.opening(experiment, *opened(experiment, some_digits(200, 100)))
    assert file.getvalue().splitlines() == [
        "compared: BN, BRN; seeds 0, 1; 4 trials; 200 + 100 images of some digits; on cpu"
    ]


def test_the_compilation_is_announced_and_timed():
    shown, file = screen()
    with shown.compiling():
        assert "Compiling kernels" in file.getvalue()
    assert file.getvalue().splitlines()[1] == "Compiled in 0 s."


NAMES = "[a] [/] :smile: [bold]x[/bold]"


def test_names_are_printed_literally():
    shown, file = screen(is_terminal=True)
    shown.say(NAMES)
    assert file.getvalue() == f"{NAMES}\n"
    trials = experiment_of(COMPARED.replace("BN:", f"'{NAMES}':", 1)).trials(200)[::2]
    with shown.training() as show:
        show(Progress(1, 4, trials, Record(1, 1.0, {"train_loss": np.array([1.0, 2.0])})))
    assert f"{NAMES} 1" in file.getvalue()


def test_a_quiet_screen_shows_results_only():
    file = io.StringIO()
    shown = progress.Screen(is_quiet=True, file=file, width=80)
    experiment, data = experiment_of(COMPARED), some_digits(200, 100)
    shown.opening(experiment, *opened(experiment, data))
    shown.note("something")
    with shown.compiling(), shown.training() as show:
        show(progress_at(25))
    assert file.getvalue() == ""
    shown.say("BRN is better")
    assert file.getvalue() == "BRN is better\n"


def test_what_is_being_done_is_said_on_a_terminal_alone():
    def said(**options):
        file = io.StringIO()
        shown = progress.Screen(file=file, width=80, **options)
        with shown.working("drawing figures and the report ..."):
            pass
        return file.getvalue()

    text = said(force_terminal=True)
    assert "drawing figures and the report ..." in text
    assert text.endswith("\x1b[2K"), "nothing stays there"
    assert said() == said(force_terminal=True, is_quiet=True) == ""


def test_a_screen_whose_pipe_is_closed_is_silent():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as file:
        shown = progress.Screen(file=file)
        assert not shown.is_closed
        for _ in range(3):
            shown.say("a line")
        assert shown.is_closed


def test_a_document_whose_reader_has_gone_closes_the_screen(monkeypatch):
    """By which the command ends with exit code 1: a program that reads no verdict must not take it for one."""
    reader, writer = os.pipe()
    os.close(reader)
    shown, _ = screen()
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(progress.sys, "stdout", closed)
        shown.document("{}")
        monkeypatch.undo()
    assert shown.is_closed


def test_a_disk_that_is_full_silences_the_screen_and_says_which(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(progress.sys, "stdout", full)
        shown = progress.Screen()
        shown.say("a line")
        shown.table(Sheet("a table"))
        shown.document("{}")
        monkeypatch.undo()
    assert shown.is_closed
    assert capsys.readouterr().err == ("bnrenorm: standard output: No space left on device; the rest is not printed\n")


GRID = "grid: {training.batch: [5, 10]}\n"


def test_a_group_is_named_where_there_are_several():
    shown, file = screen()
    trials = [
        trial for trial in experiment_of(COMPARED + GRID).trials(200) if dict(trial.point)["training.batch"] == 10
    ]
    record = Record(3, 1.0, {"train_loss": np.ones(len(trials))})
    with shown.training() as show:
        show(Progress(20, 40, trials, record, 2, 7))
    assert file.getvalue().startswith(" 50 %  group 2 of 7 (batch 10)  step 3  loss BN 1, BRN 1")
