"""The command's beginning and end, in processes of their own."""

import gc
import os
import signal
import subprocess
import sys

import pytest

from bnrenorm.cli import startup
from bnrenorm.runs.interrupt import SIGNALS
from tests.helpers import run_command

RUN = "import sys; sys.path.append(sys.argv[1]); from bnrenorm.cli import startup; startup.run('command')"


@pytest.fixture
def command(tmp_path):
    """A function that runs a module of this source as the command line, its streams redirected by the shell."""

    def run(source, redirections="", **options):
        (tmp_path / "command.py").write_text(source)
        shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", RUN, str(tmp_path)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        return subprocess.run(shell, capture_output=True, text=True, check=False, env=environment, **options)

    return run


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_modules_are_imported_is_one_line(command, number):
    done = command(f"import os, time\nos.kill(os.getpid(), {number:d})\ntime.sleep(60)")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "bnrenorm: interrupted before it began\n"


def test_a_signal_has_its_exit_code_where_nobody_can_be_told(command):
    source = f"import os, time\nos.kill(os.getpid(), {SIGNALS[0]:d})\ntime.sleep(60)"
    assert command(source, "2>/dev/full").returncode == 130


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("ending", "code", "line"), [
    ("sys.exit(5)", 5, ""), (f"os.kill(os.getpid(), {SIGNALS[0]:d})", 130, "bnrenorm: interrupted before it began\n"),
])  # fmt: skip
def test_a_signal_after_the_end_adds_nothing(command, number, ending, code, line):
    kill = f"atexit.register(os.kill, os.getpid(), {number:d})"
    done = command(f"import atexit, os, sys\n{kill}\ndef main(): {ending}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", line)


def test_a_signal_that_is_ignored_stays_ignored(command):
    """As nohup does it."""

    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    source = "import os, signal, sys\nos.kill(os.getpid(), signal.SIGHUP)\ndef main(): sys.exit(7)"
    assert command(source, preexec_fn=ignore).returncode == 7


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_gets_the_number_of_a_stream_that_is_closed(command, tmp_path, redirections):
    source = f"""
import os, sys
def main():
    for number in (1, 2):
        os.write(number, b"")  # as other programs' code does
    with open({str(tmp_path / "result")!r}, "w") as file:
        print("seen", flush=True)
        print("wrong", file=sys.stderr)
        file.write(str(file.fileno()))
    sys.exit(3)
"""
    done = command(source, redirections)
    assert done.returncode == 3
    assert int((tmp_path / "result").read_text()) > 2
    assert (done.stdout, done.stderr) == (
        "" if " >&-" in f" {redirections}" else "seen\n",
        "" if "2>" in redirections else "wrong\n",
    )


@pytest.mark.parametrize(("code", "want"), [(0, 1), (2, 2)])
def test_output_that_cannot_be_written_is_one_line(command, code, want):
    done = command(f"import sys\ndef main():\n    print('seen')\n    sys.exit({code})", ">/dev/full")
    assert done.returncode == want
    assert done.stderr == "bnrenorm: standard output: No space left on device\n"


@pytest.mark.parametrize("python", ["", "del atexit._run_exitfuncs\n"], ids=["today's", "one without what is private"])
def test_what_is_registered_for_the_exit_is_done(command, python):
    done = command(f"import atexit, sys\n{python}atexit.register(print, 'done')\ndef main(): sys.exit(4)")
    assert (done.returncode, done.stdout, done.stderr) == (4, "done\n", "")


def test_a_command_that_does_not_end_by_itself_has_failed(command):
    done = command("def main(): pass")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_garbage_is_collected_from_the_last_imports_on_even_if_one_fails(monkeypatch):
    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(startup.importlib, "import_module", fail)
    gc.disable()
    try:
        startup.import_analysis()
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.slow
def test_the_users_matplotlib_backend_and_settings_are_not_asked(tmp_path):
    """A backend that is gone stops Matplotlib's import, and TeX that is not installed every figure."""
    settings = tmp_path / "matplotlibrc"
    settings.write_text("text.usetex: True\nfont.family: No Such Font\n")
    environment = {**os.environ, "MPLBACKEND": "Qt4Agg", "MATPLOTLIBRC": str(settings)}
    done = run_command("data", "show", "--save", tmp_path / "digit.png", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "digit.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_matplotlibs_temporary_folder_is_removed(tmp_path):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.touch()  # a file, so that no settings can be written there
    temporary.mkdir()
    hidden = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    environment = {**kept, "HOME": str(home), "TMPDIR": str(temporary)}
    done = run_command("data", "show", "--save", tmp_path / "digit.png", env=environment)
    assert done.returncode == 0
    assert str(temporary / "matplotlib-") in done.stderr
    assert not list(temporary.iterdir())
