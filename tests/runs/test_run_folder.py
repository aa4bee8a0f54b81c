import json
import os
import subprocess
import sys

import pytest

from bnrenorm.errors import InputError
from bnrenorm.runs import run_folder
from tests.helpers import COMPARED, experiment_of


def experiment(text=COMPARED):
    return experiment_of(text)


def test_one_experiment_has_one_folder_that_tells_what_it_is(tmp_path):
    with run_folder.opened(tmp_path, experiment(), fork=False) as path:
        assert path == run_folder.path_of(tmp_path, experiment())
        assert json.loads((path / ".owner.json").read_text())["pid"] == os.getpid()
        assert "r_max: 3.0" in (path / "experiment.yaml").read_text()
    assert not (path / ".owner.json").exists()
    assert run_folder.path_of(tmp_path, experiment(COMPARED.replace("seeds: 2", "seeds: 3"))) != path


HOLD = """
import sys, time
from pathlib import Path
from bnrenorm.runs import run_folder
from bnrenorm.config import document
from bnrenorm.config.build import build
with run_folder.opened(Path(sys.argv[1]), build(document.parse(sys.stdin.read(), "x.yaml")), fork=False):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_pid_and_host_and_a_dead_ones_lock_is_taken_over(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], **pipes) as holder:
        holder.stdin.write(COMPARED)
        holder.stdin.close()
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(InputError, match=f"process {holder.pid} on .* is writing there"),
            run_folder.opened(tmp_path, experiment(), fork=False),
        ):
            raise AssertionError("two writers")
        holder.kill()
        holder.wait()
    with run_folder.opened(tmp_path, experiment(), fork=False) as path:
        assert path.is_dir()


def unfinished(tmp_path):
    with pytest.raises(KeyboardInterrupt), run_folder.opened(tmp_path, experiment(), fork=False):
        raise KeyboardInterrupt


def test_an_unfinished_experiment_is_not_silently_replaced_by_one_with_other_settings(tmp_path):
    unfinished(tmp_path)
    changed = experiment(COMPARED.replace("steps: 4", "steps: 5").replace("r_max: 3", "r_max: 2"))
    with pytest.raises(InputError) as caught, run_folder.opened(tmp_path, changed, fork=False):
        raise AssertionError("replaced")
    message = str(caught.value)
    assert (
        "is unfinished and differs in BN training.steps (4 there, 5 here); BRN norm.r_max (3.0 there, 2.0 here)"
        in message
    )
    assert "--fork" in message
    with run_folder.opened(tmp_path, changed, fork=True) as path:
        assert path.is_dir()


def test_more_seeds_or_variants_are_no_change(tmp_path):
    unfinished(tmp_path)
    more = COMPARED.replace("seeds: 2", "seeds: 3").replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    with run_folder.opened(tmp_path, experiment(more), fork=False) as path:
        assert path.is_dir()


def test_a_finished_experiment_may_be_followed_by_any(tmp_path):
    with run_folder.opened(tmp_path, experiment(), fork=False):
        pass
    with run_folder.opened(tmp_path, experiment(COMPARED.replace("steps: 4", "steps: 5")), fork=False) as path:
        assert path.is_dir()
