"""The command: python -m benchmarks. What it measures is replaced."""

import pytest
import typer

from benchmarks import __main__ as command
from benchmarks import data
from benchmarks.jobs import JOBS


@pytest.fixture
def done(monkeypatch, tmp_path):
    """The names of the jobs that were checked or measured, on a machine without Fashion-MNIST."""
    done = []
    monkeypatch.setattr(data, "FASHION", tmp_path / "nowhere")
    monkeypatch.setattr(command, "_check", lambda job, console: done.append(job.name) or True)
    monkeypatch.setattr(command, "_measure", lambda job, console, *how, **more: done.append(job.name) or [])
    monkeypatch.setattr(command.results, "write", lambda path, rows: None)
    monkeypatch.setattr(command.machine, "busy", lambda: 0.0)
    return done


def run(**options):
    """Run the command; return its exit code."""
    try:
        command.main(**options)
    except typer.Exit as exit_:
        return exit_.exit_code
    return 0


@pytest.mark.parametrize("how", ["check", "measure"])
def test_jobs_without_their_images_are_skipped_and_all_others_done(done, capsys, tmp_path, how):
    absent = [name for name, job in JOBS.items() if job.images == "fashion"]
    assert run(checking=how == "check", job=[*JOBS], out=tmp_path) == 0
    assert done == [name for name in JOBS if name not in absent]
    printed = capsys.readouterr().out
    for name in absent:
        assert f"{name} is skipped: Fashion-MNIST is not installed: " in printed


def test_a_job_that_was_named_and_cannot_be_done_is_an_error(done, capsys):
    assert run(job=["small-fashion"]) == 1
    assert not done
    assert capsys.readouterr().out.startswith("small-fashion is skipped: Fashion-MNIST is not installed: ")


def test_an_unknown_job_is_told_with_those_there_are(done):
    with pytest.raises(typer.BadParameter, match=r"unknown job 'smal'; allowed: full-batch, .*, scaling"):
        command.main(job=["small", "smal"])
    assert not done
