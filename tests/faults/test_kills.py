"""Real kills: the command is ended by SIGKILL at every point where it writes, and by signals while it trains."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bnrenorm.runs import interrupt
from bnrenorm.runs.store import Store
from tests.helpers import save_digits, stored_numbers

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]

CONFIG = """
name: crash
model: {hidden: [12]}
variants: {none: {norm: {kind: none}}, BRN: {norm: {kind: renorm, warmup: 2, ramp_r: 4}}}
training: {batch: 10, steps: 7}
evaluation: {every: 3}
seeds: 2
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """A function that returns the arguments of the command into a folder."""
    folder = tmp_path_factory.mktemp("crash")
    config = folder / "crash.yaml"
    config.write_text(f"{CONFIG}data: {{path: {save_digits(folder / 'few.npz')}}}\n")

    def command(out, *options):
        return ["compare", str(config), "--out", str(out), "--device", "cpu", *options]

    return command


# Runs the command once, so that everything is loaded, then forks a child for every line of input: it runs the command one
# step at a time, so that the writes are as many on a slow machine as on a fast one, with a checkpoint after every step,
# kills itself at the n-th call of an operation on files, and tells how many calls there were if it gets to the end.
NURSERY = """
import contextlib, os, signal, sys
from bnrenorm.analysis import outputs
from bnrenorm.analysis.report import write as report
from bnrenorm.cli import commands, startup
from bnrenorm.runs import group as groups
from bnrenorm.training import loop
from tests.faults.operations import Faulty
groups.SAVE_EVERY = loop.CALL_SECONDS = 0
outputs.figures = lambda results, axes: {}  # no time for figures here
report.write = lambda results: []
startup.import_analysis()  # no thread may be importing at a fork
def run(name, how, number, arguments):
    sys.argv = ["bnrenorm", *arguments]
    sys.stdout = open(os.devnull, "w")
    with Faulty(name, number, 1, how.replace("_", " ")) as counted:
        try:
            commands.main()
        except SystemExit as exit_:
            os.write(1, f"{counted.calls} ".encode())
            os._exit(exit_.code or 0)  # clearing away would take as long again
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(open(os.devnull, "w")):
    commands.main()
for line in sys.stdin:
    name, how, number, *arguments = line.split()
    child = os.fork()
    if child == 0:
        run(name, how, int(number), arguments)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def run(command, tmp_path_factory):
    """A function that runs the command in a child and returns (exit status, calls that were made)."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}  # a fork keeps no threads
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, *command(tmp_path_factory.mktemp("first"))], env=environment, **pipes
    ) as nursery:

        def run(name, number, arguments, how="kill"):
            nursery.stdin.write(" ".join([name, how, str(number), *arguments]) + "\n")
            nursery.stdin.flush()
            *calls, status = nursery.stdout.readline().split()
            return int(status), int(calls[0]) if calls else None

        yield run
        nursery.stdin.close()


@pytest.mark.parametrize(
    ("name", "how", "stride"),
    [
        ("create", "torn_and_killed", 1),
        ("replace", "kill", 1),
        ("delete", "kill", 1),
        ("sync", "kill", 5),
        ("make", "kill", 1),
    ],
)
def test_killed_at_every_write_the_same_command_ends_with_the_same_bits(command, run, tmp_path, name, how, stride):
    steps = "--set", "training.steps=4"
    status, points = run(name, 0, command(tmp_path / "whole", *steps))
    assert status == 0
    assert points > 3
    want = stored_numbers(tmp_path / "whole")
    assert len(want) == 4
    for number in range(1, points + 1, stride):
        out = tmp_path / f"{name}{number}"
        assert run(name, number, command(out, *steps), how) == (-signal.SIGKILL, None)
        assert run(name, 0, command(out, *steps))[0] == 0
        assert stored_numbers(out) == want, (name, number)
        left = [path.name for path in Store(out).checkpoints.iterdir()]
        assert all(path.startswith(".") and path.endswith(".tmp") for path in left), left  # which go after a day


def test_killed_again_and_again_it_still_arrives(command, run, tmp_path):
    run("replace", 0, command(tmp_path / "whole"))
    attempts = 0
    while run("replace", 12, command(tmp_path / "out"))[0] == -signal.SIGKILL:
        attempts += 1
        assert attempts < 100
    assert attempts >= 2
    assert stored_numbers(tmp_path / "out") == stored_numbers(tmp_path / "whole")


SIGNALLED = """
import os, signal, sys
from bnrenorm.cli import startup
from bnrenorm.training import loop
sent = [int(number) for number in sys.argv.pop(1).split(",")]
loop.CALL_SECONDS = 0  # one step at a time
real = loop.Training._advance
def advance(self, steps, *, record):
    if self.step == 5 and sent:
        for number in sent:
            os.kill(os.getpid(), number)
        sent.clear()
    return real(self, steps, record=record)
loop.Training._advance = advance
startup.run("bnrenorm.cli.commands")
"""


@pytest.mark.parametrize("signals", [*((number,) for number in interrupt.SIGNALS), 2 * (signal.SIGTERM,)])
def test_a_signal_finishes_the_step_saves_and_exits_with_130(command, run, tmp_path, signals):
    arguments = [sys.executable, "-c", SIGNALLED, ",".join(f"{number:d}" for number in signals)]
    arguments += command(tmp_path / "out")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "bnrenorm: interrupted; everything is saved, the same command goes on from here\n"
    (saved,) = (tmp_path / "out/checkpoints").glob("*.json")
    assert saved.name.endswith(".step-000000000006.json")
    assert run("replace", 0, command(tmp_path / "out"))[0] == 0
    assert run("replace", 0, command(tmp_path / "whole"))[0] == 0
    assert stored_numbers(tmp_path / "out") == stored_numbers(tmp_path / "whole")


def test_the_second_ctrl_c_ends_at_once(command, tmp_path):
    arguments = [sys.executable, "-c", SIGNALLED, f"{signal.SIGINT:d},{signal.SIGINT:d}", *command(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "bnrenorm: interrupted; the same command goes on from the last checkpoint\n"
    assert not list((tmp_path / "out/checkpoints").iterdir())


# Two commands meet in the middle of the same group, both with a checkpoint after every step; then one kills itself, and
# the other goes on once that has happened.
MEETING = """
import os, pathlib, signal, sys, time
from bnrenorm.cli import commands
from bnrenorm.runs import group as groups
from bnrenorm.training import loop
groups.SAVE_EVERY = loop.CALL_SECONDS = 0
marks, own, other = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1), sys.argv.pop(1)
real = loop.Training._advance
def advance(self, steps, *, record):
    if self.step == 4:
        (marks / own).touch()
        while not (marks / other).exists():
            time.sleep(0.01)
        if own == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    return real(self, steps, record=record)
loop.Training._advance = advance
commands.main()
"""


def test_of_two_commands_in_one_folder_that_train_the_same_one_may_be_killed(command, run, tmp_path):
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    killed = command(out)
    other = tmp_path / "other.yaml"
    other.write_text(Path(killed[1]).read_text().replace("name: crash", "name: other"))
    left = ["compare", str(other), *killed[2:]]
    start = [sys.executable, "-c", MEETING, str(marks)]
    with subprocess.Popen([*start, "left", "dead", *left]) as survivor:
        while not (marks / "left").exists():
            assert survivor.poll() is None
            time.sleep(0.02)
        assert subprocess.run([*start, "killed", "left", *killed], check=False).returncode == -signal.SIGKILL
        (marks / "dead").touch()
        assert survivor.wait(60) == 0
    assert run("replace", 0, command(tmp_path / "whole"))[0] == 0
    assert stored_numbers(out) == stored_numbers(tmp_path / "whole")
    assert run("replace", 0, killed)[0] == 0
    assert stored_numbers(out) == stored_numbers(tmp_path / "whole")
    assert not list((out / "checkpoints").glob("*.json"))
