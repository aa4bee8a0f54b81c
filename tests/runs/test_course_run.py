"""What all workers of a run are told, and what is left when it ends; without a cluster."""

import platform
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.errors import ClusterError
from bnrenorm.runs import course
from bnrenorm.runs.checkpoint import Checkpoint, Checkpoints
from bnrenorm.runs.plan import Plan
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, experiment_of, save_digits, some_digits

pytest.importorskip("distributed", reason="Dask is the extra `cluster`")


def test_workers_are_told_the_commands_machine_and_images_from_wherever_they_start(tmp_path, monkeypatch):
    runs = []
    monkeypatch.setattr(
        course, "_Course", lambda plan, store, client, run, *_: runs.append(run) or SimpleNamespace(finish=dict)
    )
    monkeypatch.chdir(tmp_path)
    save_digits(tmp_path / "few.npz")
    experiment, store = experiment_of(COMPARED, ["data.path=few.npz"]), Store(tmp_path)
    store.prepare()
    course.train(Plan({}, []), experiment, some_digits(200, 100), store, Backend("chainer", "cpu"), None, print, print)
    assert (runs[0].data.path, runs[0].host) == (str(tmp_path / "few.npz"), platform.node())


@pytest.mark.parametrize("error", [None, ClusterError("lost")])
def test_the_file_by_which_workers_know_the_folder_is_there_while_they_train(tmp_path, monkeypatch, error):
    """Under a path that does not depend on the working directory of a worker; checkpoints of stored trials go too."""
    key, seen = "0" * 16, []

    def finish():
        (run,) = seen
        assert run.proof.exists()
        assert run.root.is_absolute()
        assert run.proof.is_absolute()
        store.path(key).touch()
        if error:
            raise error
        return {}

    monkeypatch.setattr(course, "_Course", lambda *given: seen.append(given[3]) or SimpleNamespace(finish=finish))
    monkeypatch.chdir(tmp_path)
    store = Store(Path("runs"))
    store.prepare()
    Checkpoints(store.checkpoints, [key]).save(Checkpoint({"step": 3}, [{}], 0.0))
    experiment = replace(experiment_of(COMPARED), plugins=("mine.py",))
    given = Plan({}, []), experiment, some_digits(200, 100), store, Backend("chainer", "cpu"), None
    with pytest.raises(ClusterError) if error else nullcontext():
        course.train(*given, print, print)
    assert not seen[0].proof.exists()
    assert seen[0].plugins == ("mine.py",)
    assert bool(list(store.checkpoints.iterdir())) == bool(error)
