"""How a command ends that cannot go on: one line that says what is kept, and the exit code."""

import os
import subprocess
import sys

import pytest

from bnrenorm.analysis import outputs
from bnrenorm.cli.printer import Printer
from bnrenorm.errors import DeviceError
from bnrenorm.runs import inventory
from bnrenorm.runs.interrupt import SIGNALS, handled_by
from bnrenorm.runs.store import Store
from bnrenorm.training import loop
from tests.helpers import lose_a_trial


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            DeviceError("cuda:0: CUDARuntimeError: cudaErrorIllegalAddress"),
            "cuda:0: CUDARuntimeError: cudaErrorIllegalAddress; finished trials are kept, the same command goes on from them",
        ),
        (
            MemoryError("Unable to allocate 3 GiB"),
            "out of memory (Unable to allocate 3 GiB); what is finished is stored; --memory 1GiB makes smaller groups",
        ),
    ],
    ids=["GPU", "memory"],
)
def test_what_fails_in_training_is_one_line_that_says_how_to_go_on(compare, monkeypatch, error, line):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(loop.Training, "_advance", fail)
    code, _, err = compare()
    assert (code, err) == (1, f"bnrenorm: {line}\n")


def test_a_full_disk_is_one_line_and_exit_code_one(compare, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "trials/x.json")

    monkeypatch.setattr(Store, "write", full)
    code, _, err = compare()
    assert (code, err.count("\n")) == (1, 1)
    assert "No space left on device" in err
    assert "finished trials are kept" in err


def test_trials_that_no_worker_survived_cost_exit_code_1(compare, monkeypatch):
    lost = lose_a_trial(monkeypatch)
    monkeypatch.setattr(outputs, "write_pictures", lambda *_: [])
    code, _, err = compare("--quiet")
    assert (code, err) == (1, f"bnrenorm: {lost}\n")


def test_only_a_comparison_says_that_trials_are_kept(call, tmp_path, monkeypatch):
    def refuse(store):
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr(inventory, "runs", refuse)
    assert call("runs", "--out", tmp_path) == (1, "", "bnrenorm: [Errno 13] Permission denied: 'runs'\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_does_not_cost_the_line(call, tmp_path, monkeypatch, number):
    say = Printer.say

    def interrupted(self, text):
        os.kill(os.getpid(), number)
        say(self, text)

    monkeypatch.setattr(Printer, "say", interrupted)
    with handled_by(lambda number, frame: None, notices=True):  # as `startup` does
        code, _, err = call("report", tmp_path)
    assert (code, err) == (2, f"bnrenorm: {tmp_path}: no run folder: it has no experiment.yaml\n")


@pytest.mark.parametrize(
    ("where", "ending"),
    [
        ("bnrenorm.config.load", " before the training began"),
        ("bnrenorm.runs.session.compile_kernels", " before the training began"),
        ("bnrenorm.runs.runner.train", "; the same command goes on from the last checkpoint"),
        ("bnrenorm.api.results_of", "; all that was trained is stored, the same command compares and draws it"),
    ],
)
def test_an_interrupt_says_what_there_is_to_go_on_from(compare, monkeypatch, no_pictures, where, ending):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    code, _, err = compare()
    assert (code, err) == (130, f"bnrenorm: interrupted{ending}\n")


@pytest.mark.parametrize("options", [(), ("--json", "--quiet")])
@pytest.mark.slow
def test_a_pipe_that_is_closed_costs_no_file(config_file, few_digits_file, tmp_path, options):
    data, out = ("--set", f"data.path={few_digits_file}"), ("--out", str(tmp_path / "out"))
    command = [
        sys.executable,
        "-m",
        "bnrenorm",
        "compare",
        str(config_file()),
        *data,
        "--engine",
        "chainer",
        *out,
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if not options:
            process.stdout.readline()
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (1, "")
    (folder,) = (tmp_path / "out").glob("compared-*")
    assert {"verdict.json", "accuracy.png", "report.html"} <= {path.name for path in folder.iterdir()}
