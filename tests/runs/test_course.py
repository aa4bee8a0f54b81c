"""Groups trained by real worker processes: the same bits, whatever becomes of the workers, the scheduler or the client."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bnrenorm.runs.store import Store
from tests.helpers import save_digits, stored_numbers

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")
pytestmark = pytest.mark.slow

SLOW = "slow: {norm: {kind: custom, name: slow}}"
FULL = "full: {norm: {kind: custom, name: full}}"
POISON = "poison: {norm: {kind: custom, name: poison}}"
STEPS, PAUSE = 30, 0.02


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the plugin and some digits."""
    place = tmp_path_factory.mktemp("cluster")
    shutil.copy(Path(__file__).with_name("norms_for_workers.py"), place / "norms.py")
    save_digits(place / "few.npz")
    return place


@pytest.fixture
def start(place, tmp_path):
    """A function that starts a comparison; whatever still runs at the end is killed, by its number."""
    started, marks = [], tmp_path / "marks"
    marks.mkdir()

    def start(out, *options, variants=("BN: {norm: {kind: batch}}", SLOW), prelude=""):
        config = place / "cluster.yaml"
        config.write_text(f"""
name: cluster
plugins: [norms.py]
model: {{hidden: [12]}}
variants: {{{", ".join(variants)}}}
training: {{batch: 10, steps: {STEPS}}}
evaluation: {{every: 5}}
data: {{path: {place / "few.npz"}}}
seeds: 4
""")
        code = f"from bnrenorm.analysis import outputs\noutputs.figures = lambda results, axes: {{}}\n{prelude}\nfrom bnrenorm.cli import commands\nif __name__ == '__main__':\n    commands.main()"
        given = ["compare", config, "--out", tmp_path / out, "--engine", "chainer", "--device", "cpu", *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MARKS": str(marks), "PAUSE": str(PAUSE)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [sys.executable, "-c", code, *map(str, given)]
        process = subprocess.Popen(command, env=environment, start_new_session=True, **pipes)
        started.append(psutil.Process(process.pid))
        return process

    yield start
    for parent in started:
        try:
            family = [*parent.children(recursive=True), parent]
        except psutil.NoSuchProcess:
            continue
        for process in family:
            process.kill()


def finish(process):
    """Wait for a command; return its exit code, what it printed, and its errors but for the plugin's announcement."""
    printed, errors = process.communicate(timeout=120)
    return process.returncode, printed, [line for line in errors.splitlines() if "running the Python code" not in line]


def wait_for(happens, seconds=60):
    """Return what a function returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


_alone = {}


@pytest.fixture
def want(start, tmp_path):
    """The results of one process with one thread."""
    if not _alone:
        assert finish(start("serial"))[0] == 0
        for path in (tmp_path / "marks").iterdir():
            path.unlink()
        _alone.update(stored_numbers(tmp_path / "serial"))
    return _alone


def in_training(tmp_path):
    """Return the numbers of the workers that train the slow variant, once there are any."""
    pids = wait_for(lambda: [int(path.name) for path in (tmp_path / "marks").iterdir()])
    time.sleep(8 * PAUSE)  # in the middle of it
    return pids


def is_tidy(out):
    return not [path for path in Store(out).checkpoints.iterdir() if not path.name.startswith(".")]


def test_workers_train_the_same_bits(start, tmp_path, want):
    code, printed, errors = finish(start("cluster", "--workers", "2"))
    assert (code, errors) == (0, [])
    assert re.search(r"^2 workers, to be watched at http://127.0.0.1:\d+/status$", printed, re.M)
    assert stored_numbers(tmp_path / "cluster") == want
    assert len(want) == 8
    assert is_tidy(tmp_path / "cluster")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_lost_is_replaced_and_its_group_goes_on(start, tmp_path, want, number):
    prelude = "from bnrenorm.runs import cluster\ncluster._SETTINGS['distributed.scheduler.worker-ttl'] = '3 s'"
    process = start("cluster", "--workers", "2", prelude=prelude)
    lost = in_training(tmp_path)[0]
    os.kill(lost, number)
    code, _, errors = finish(process)
    assert (code, errors) == (0, [])
    assert stored_numbers(tmp_path / "cluster") == want
    assert is_tidy(tmp_path / "cluster")


def test_a_killed_command_leaves_no_workers_and_the_same_one_goes_on(start, tmp_path, want):
    process = start("cluster", "--workers", "2")
    workers = in_training(tmp_path)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(psutil.pid_exists, workers)))
    assert finish(start("cluster", "--workers", "2"))[0] == 0
    assert stored_numbers(tmp_path / "cluster") == want


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_saves_everything(start, tmp_path, want, number):
    process = start("cluster", "--workers", "2")
    in_training(tmp_path)
    if number == signal.SIGTERM:
        process.send_signal(number)  # as from a batch system, to the command
    else:
        os.killpg(process.pid, number)  # as from a terminal, to everyone
    code, _, errors = finish(process)
    assert (code, errors) == (130, ["bnrenorm: interrupted; everything is saved, the same command goes on from here"])
    assert list((tmp_path / "cluster/checkpoints").glob("*.step-*.json"))
    assert finish(start("cluster"))[0] == 0, "here, with what the workers saved"
    assert stored_numbers(tmp_path / "cluster") == want


def test_a_group_that_no_worker_survives_is_given_up_and_the_others_are_not(start, tmp_path, want):
    variants = ("BN: {norm: {kind: batch}}", SLOW, POISON)
    code, printed, errors = finish(start("cluster", "--workers", "2", variants=variants))
    lost = "4 trials have no result (4 of poison), and no pair is made of them: 3 workers were lost with their group"
    lost += ": killed, out of memory, or silent"
    assert (code, errors) == (1, [f"bnrenorm: {lost}"])
    assert lost in " ".join(printed.split())
    assert stored_numbers(tmp_path / "cluster") == want
    (folder,) = (tmp_path / "cluster").glob("cluster-*")
    verdicts = json.loads((folder / "verdict.json").read_text())
    assert [(entry["a"], entry["b"], entry["pairs"]) for entry in verdicts] == [("BN", "slow", 4)]
    assert lost in json.loads((folder / "environment.json").read_text())["notes"]


def test_memory_that_ends_in_a_worker_is_one_line_and_the_same_command_goes_on(start, tmp_path, want, monkeypatch):
    variants = ("BN: {norm: {kind: batch}}", SLOW, FULL)
    monkeypatch.setenv("FULL", "1")
    code, _, errors = finish(start("cluster", "--workers", "1", variants=variants))
    assert code == 1
    assert len(errors) == 1
    assert errors[0].startswith("bnrenorm: out of memory")
    assert stored_numbers(tmp_path / "cluster").items() <= want.items()
    monkeypatch.delenv("FULL")
    assert finish(start("cluster", "--workers", "1", variants=variants))[0] == 0
    assert stored_numbers(tmp_path / "cluster").items() >= want.items()
    assert len(stored_numbers(tmp_path / "cluster")) == 12


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler with two workers, as a user starts them; yields its process and address."""
    file = tmp_path / "scheduler.json"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MARKS": str(tmp_path / "marks"), "PAUSE": str(PAUSE)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    dask = [sys.executable, "-m", "dask"]
    common = ["--scheduler-file", str(file), "--host", "127.0.0.1"]
    with subprocess.Popen([*dask, "scheduler", *common, "--port", "0", "--no-dashboard"], **quiet) as process:
        address = wait_for(lambda: file.exists() and file.read_text() and json.loads(file.read_text())["address"])
        options = ["--nthreads", "1", "--nworkers", "2", "--no-dashboard", "--death-timeout", "60"]
        with subprocess.Popen([*dask, "worker", *common, *options], **quiet) as workers:
            yield process, address
            for each in (workers, process):
                each.terminate()


def test_a_cluster_of_the_users_trains_the_same_bits_and_stays(start, tmp_path, scheduler, want):
    process, address = scheduler
    assert finish(start("cluster", "--dask", address))[0] == 0
    assert stored_numbers(tmp_path / "cluster") == want
    assert process.poll() is None


def test_a_scheduler_that_is_lost_is_one_line_and_the_command_goes_on_without_it(start, tmp_path, scheduler, want):
    process, address = scheduler
    running = start("cluster", "--dask", address)
    in_training(tmp_path)
    process.kill()
    code, _, errors = finish(running)
    assert code == 1
    assert len(errors) == 1
    assert errors[0].startswith("bnrenorm: the cluster is lost; finished trials are kept, ")
    assert finish(start("cluster"))[0] == 0
    assert stored_numbers(tmp_path / "cluster") == want


def test_a_worker_without_the_folder_hands_its_results_back(start, tmp_path, want):
    elsewhere = f"from bnrenorm.runs import course\nfrom pathlib import Path\ncourse.Run = lambda *all, real=course.Run: real(*all[:5], Path({str(tmp_path)!r}, 'nowhere'), *all[6:])"
    code, _, errors = finish(start("cluster", "--workers", "2", prelude=elsewhere))
    assert (code, errors) == (0, [])
    assert stored_numbers(tmp_path / "cluster") == want
