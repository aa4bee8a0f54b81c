"""Where results, caches and homes may be: strange names, missing and read-only folders, and ones that vanish."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from bnrenorm.errors import InputError
from bnrenorm.runs import session
from bnrenorm.runs.store import Store

ROOT = Path(__file__).parents[2]
PR_CAPBSET_DROP, OVERRIDES = 24, (1, 2)  # of Linux: capabilities by which root may write and read everything


@pytest.mark.parametrize(
    "name",
    [
        "with space", "-dash", "new\nline", "tab\t", "🧪", unicodedata.normalize("NFD", "é"), "学習", "..", "a/../b",
        "x" * 255, "%s {}", "$HOME", "*", "~", ".hidden", "\udcff",
    ],
)  # fmt: skip
def test_a_folder_of_any_name_is_as_good(command, left, tmp_path, name):
    (tmp_path / "a").mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    assert command(inside / name) == (0, "")
    assert len(left(inside / name)[0]) == 4
    assert command(inside / name) == (0, "")


def test_a_name_that_is_too_long_is_one_line(command, tmp_path):
    code, errors = command("x" * 256)
    assert (code, errors.count("\n")) == (2, 1)
    assert "File name too long" in errors


def test_a_linked_folder_is_as_good(command, left, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert command("link") == (0, "")
    assert len(left("disk")[0]) == 4


@pytest.mark.parametrize("name", ["../up", "up/../../x", "/abs", "nul\0", "new\nline", "a b", ".", "", "x" * 201, "-x"])
def test_a_run_cannot_be_called_what_is_no_name(command, tmp_path, name):
    code, errors = command("out", "--set", f"name={name!r}" if "\0" not in name else 'name="nul\\0"')
    assert (code, errors.count("\n")) == (2, 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["学習", "é", unicodedata.normalize("NFC", "é"), "x" * 200])
def test_a_run_may_be_called_by_letters_of_any_language(command, tmp_path, name):
    assert command("out", "--set", f"name={name}") == (0, "")
    assert len(list((tmp_path / "out").glob(f"{name}-*"))) == 1


def run_in(environment, config, out, *options, code="from bnrenorm.cli import commands; commands.main()", **how):
    """Run the command in a process of its own, with these variables alone."""
    arguments = ["compare", str(config), "--out", str(out), "--engine", "chainer", "--device", "cpu", *options]
    quiet = "from bnrenorm.analysis import outputs; outputs.figures = lambda results, axes: {}; "
    return subprocess.run(
        [sys.executable, "-c", quiet + code, *arguments],
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        **how,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [{}, {"LANG": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"HOME": "/nowhere"}, {"TERM": "dumb"}],
)  # fmt: skip
def test_no_variable_is_needed(config, tmp_path, environment):
    done = run_in({"NUMBA_CACHE_DIR": str(tmp_path / "kernels"), **environment}, config, tmp_path / "学習")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(Store(tmp_path / "学習").finished()) == 4


def _obey():
    for capability in OVERRIDES:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@contextlib.contextmanager
def read_only(*folders):
    """Make folders read-only: yields options for a process, which must obey even as root."""
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield {"preexec_fn": _obey} if os.geteuid() == 0 else {}
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)


@pytest.mark.slow
def test_a_read_only_folder_of_results_is_one_line(config, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with read_only(out) as how:
        done = run_in({}, config, out, **how)
    assert done.returncode == 2
    assert done.stderr == f"bnrenorm: --out {out}: cannot be written: Permission denied\n"


@pytest.mark.slow
def test_a_read_only_home_and_cache_cost_nothing_but_time(config, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with read_only(home) as how:
        places = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "NUMBA_CACHE_DIR": str(home / "kernels")}
        done = run_in({**places, "MPLCONFIGDIR": str(home)}, config, tmp_path / "out", **how)
    assert done.returncode == 0, done.stderr
    assert len(Store(tmp_path / "out").finished()) == 4


@pytest.mark.parametrize("what", ["trials", "checkpoints", "."])
def test_a_folder_that_is_removed_while_the_run_trains_is_one_line_and_the_next_run_mends_it(
    command, left, tmp_path, monkeypatch, what
):
    real = session.runner.train

    def train(*arguments, **named):
        shutil.rmtree(tmp_path / "out" / what)
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(session.runner, "train", train)
        code, errors = command("out")
    assert code == 1
    assert errors.count("\n") == 1
    assert "Traceback" not in errors
    assert command("out") == (0, "")
    assert command("whole") == (0, "")
    assert left("out") == left("whole")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not keep to this limit")
def test_memory_that_ends_is_one_line_and_the_command_with_less_goes_on(config, tmp_path):
    limited = (
        "import resource, psutil; from bnrenorm.runs import runner; real = runner.train\n"
        "def train(*all, **named):\n"
        "    size = psutil.Process().memory_info().vms + 300 * 2**20\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "    return real(*all, **named)\n"
        "runner.train = train\n"
        "from bnrenorm.cli import commands; commands.main()"
    )
    large = ["--set", "model.hidden=[3000]", "--seeds", "500", "--memory", "1000GiB", "--set", "training.batch=4"]
    done = run_in({"OMP_NUM_THREADS": "1"}, config, tmp_path / "out", *large, code=limited)
    assert done.returncode == 1
    assert done.stderr.startswith("bnrenorm: out of memory")
    assert done.stderr.count("\n") == 1


def test_a_path_of_links_that_ends_nowhere_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match="--out"):
        Store(tmp_path / "a").prepare()
