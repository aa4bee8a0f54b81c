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


@pytest.mark.parametrize("name", [".lock", ".owner.json", "experiment.yaml"])
def test_links_in_the_folder_are_replaced_and_not_written_through(tmp_path, name):
    folder, precious = run_folder.path_of(tmp_path, experiment()), tmp_path / "precious"
    folder.mkdir()
    precious.write_text("precious")
    (folder / name).symlink_to(precious)
    with run_folder.opened(tmp_path, experiment(), fork=False):
        assert not (folder / name).is_symlink()
    assert precious.read_text() == "precious"


def test_the_folder_itself_is_no_link_but_its_parent_may_be(tmp_path):
    disk, others = tmp_path / "disk", tmp_path / "others"
    disk.mkdir()
    others.mkdir()
    (tmp_path / "runs").symlink_to(disk)
    with run_folder.opened(tmp_path / "runs", experiment(), fork=False) as folder:
        assert (disk / folder.name / "experiment.yaml").is_file()
    other = experiment(COMPARED.replace("name: compared", "name: other"))
    run_folder.path_of(disk, other).symlink_to(others)
    with (
        pytest.raises(InputError, match="is a symbolic link, expected a folder; make .*runs the link instead"),
        run_folder.opened(tmp_path / "runs", other, fork=False),
    ):
        raise AssertionError("written through")
    assert not list(others.iterdir())


def test_temporary_files_of_killed_commands_are_removed_once_they_are_old(tmp_path):
    folder = run_folder.path_of(tmp_path, experiment())
    folder.mkdir()
    for name in (".loss.png.1a.tmp", ".loss.png.2b.tmp"):
        (folder / name).touch()
    os.utime(folder / ".loss.png.1a.tmp", (0, 0))
    with run_folder.opened(tmp_path, experiment(), fork=False):
        assert [path.name for path in folder.glob("*.tmp")] == [".loss.png.2b.tmp"]
