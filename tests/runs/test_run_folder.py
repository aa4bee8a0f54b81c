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
    with run_folder.opened(tmp_path, experiment()) as path:
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
with run_folder.opened(Path(sys.argv[1]), build(document.parse(sys.stdin.read(), "x.yaml"))):
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
            run_folder.opened(tmp_path, experiment()),
        ):
            raise AssertionError("two writers")
        holder.kill()
        holder.wait()
    with run_folder.opened(tmp_path, experiment()) as path:
        assert path.is_dir()


def interrupted(tmp_path, text=COMPARED):
    with pytest.raises(KeyboardInterrupt), run_folder.opened(tmp_path, experiment(text)) as path:
        raise KeyboardInterrupt
    return path


def test_unfinished_are_other_experiments_of_the_same_name(tmp_path):
    folder = interrupted(tmp_path)
    interrupted(tmp_path, COMPARED.replace("name: compared", "name: compared-lr"))
    interrupted(tmp_path, COMPARED.replace("name: compared", "name: comp"))
    changed = experiment(COMPARED.replace("steps: 4", "steps: 5"))
    assert run_folder.unfinished(tmp_path, experiment()) == []
    assert run_folder.unfinished(tmp_path, changed) == [folder]
    with run_folder.opened(tmp_path, experiment()):
        assert run_folder.unfinished(tmp_path, changed) == []  # it has a writer
    assert run_folder.unfinished(tmp_path, changed) == []  # it has ended
