"""A disk that is full below what a command prints, and a terminal that is closed while it prints."""

import fcntl
import os
import signal
import subprocess
import sys
import termios

import pytest

FILES = {"verdict.json", "accuracy.png", "report.html"}


@pytest.fixture
def arguments(config, tmp_path):
    """What runs the command in a process of its own into `tmp_path / out`."""
    options = ["--out", str(tmp_path / "out"), "--engine", "chainer", "--device", "cpu"]
    return [sys.executable, "-m", "bnrenorm", "compare", str(config), *options]


@pytest.fixture
def files(tmp_path):
    """A function that returns the names of the files in the run folder."""

    def files():
        (folder,) = (tmp_path / "out").glob("faults-*")
        return {path.name for path in folder.iterdir()}

    return files


@pytest.mark.parametrize(
    ("option", "redirections"),
    [("", ">/dev/full"), ("--json", ">/dev/full"), ("--json", ">/dev/full 2>&1"), ("--dry-run", ">/dev/full")],
)
@pytest.mark.slow
def test_a_full_disk_below_the_output_costs_nothing_but_the_exit_code(arguments, files, option, redirections):
    shell = ["sh", "-c", f'exec "$@" {option} {redirections}', "sh", *arguments]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    if "2>" not in redirections:
        assert "bnrenorm: standard output: No space left on device; the rest is not printed\n" in done.stderr
    if option != "--dry-run":
        assert files() >= FILES


def test_a_full_standard_error_changes_no_exit_code():
    command = ["sh", "-c", 'exec "$0" -m bnrenorm compare nosuch 2>/dev/full', sys.executable]
    assert subprocess.run(command, check=False).returncode == 2


@pytest.mark.parametrize("survives", [False, True])
@pytest.mark.slow
def test_a_terminal_that_is_closed_below_the_bar(arguments, files, tmp_path, survives):
    """It saves what is in training; where it is told to survive, as by nohup, it costs nothing but the exit code."""
    steps = 300 if survives else 3000
    ours, terminal = os.openpty()

    def own_terminal():
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        if survives:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            [*arguments, "--set", f"training.steps={steps}"], stdin=terminal, stdout=terminal, stderr=errors,
            start_new_session=True, preexec_fn=own_terminal, env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
    os.close(terminal)
    seen = b""
    while b" left" not in seen:  # the bar has had a record
        seen += os.read(ours, 2**16)
    os.close(ours)
    code, said = process.wait(), (tmp_path / "errors").read_text()
    assert "Traceback" not in said
    if survives:
        assert code == 1
        assert files() >= FILES
    else:
        assert code == 130
        assert said.endswith("bnrenorm: interrupted; everything is saved, the same command goes on from here\n")
