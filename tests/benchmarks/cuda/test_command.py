import io

import pytest
import typer
from rich.console import Console

from benchmarks.__main__ import main
from benchmarks.cuda import check as checks
from benchmarks.cuda import command, rates
from benchmarks.cuda.contenders import EAGER, OURS
from benchmarks.cuda.device import Device
from benchmarks.cuda.jobs import JOBS
from benchmarks.cuda.measure import Measurement
from bnrenorm import _compat
from tests.benchmarks.cuda.measured import RATES

CHOSEN = [JOBS["micro-batch-1"], JOBS["small-1"]]


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200, highlight=False, markup=False)


@pytest.fixture
def shares(monkeypatch):
    """The seconds that each measured job was allowed; the first argument of `raises` names the job that fails."""
    allowed = {}

    def measure(job, device, samples, seconds, say):
        allowed[job.name] = seconds
        if job.name == "micro-batch-30":
            raise MemoryError("no [room]")
        say("measured")
        return [Measurement(OURS, [1.0] * samples), Measurement(EAGER, [2.0] * samples)]

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(rates, "measure", lambda device: RATES)
    monkeypatch.setattr(command.time, "perf_counter", lambda: 0.0)
    return allowed


def test_results_are_saved_after_each_job(shares, console, tmp_path):
    assert command.run(CHOSEN[:1], Device("cpu"), 3, 60.0, tmp_path, console)
    one = (tmp_path / "cuda.csv").read_text(encoding="utf-8")
    assert command.run(CHOSEN[1:], Device("cpu"), 3, 60.0, tmp_path, console)
    both = (tmp_path / "cuda.csv").read_text(encoding="utf-8")
    assert both.startswith(one)
    assert both.count("small-1,1,") == 2
    assert "| PyTorch eager | 1 network | 2 | 2 | 2 | 2.00 |" in (tmp_path / "cuda.md").read_text(encoding="utf-8")
    text = console.file.getvalue()
    assert "copies 3.00 TB/s (read plus written), float32 products 50.0 TFLOP/s" in text
    assert "as fast as PyTorch eager: 2.00 (PyTorch eager, 1 network), met" in text


def test_time_goes_to_many_replicas_and_gates(shares, console):
    jobs = [JOBS["micro-batch-999"], JOBS["small-1"], JOBS["small-30"]]
    command.run(jobs, Device("cpu"), 3, 60.0, None, console)
    assert shares == pytest.approx({"micro-batch-999": 30.0, "small-1": 40.0, "small-30": 60.0})  # none has used any


def test_a_job_that_fails_does_not_stop_the_others(shares, console, tmp_path):
    assert not command.run([JOBS["micro-batch-30"], *CHOSEN], Device("cpu"), 3, 60.0, tmp_path, console)
    assert list(shares) == ["micro-batch-30", "micro-batch-1", "small-1"]
    assert "micro-batch-30: bnrenorm has failed: MemoryError: no [room]" in console.file.getvalue()


def test_one_wrong_contender_makes_the_check_fail(monkeypatch, console):
    results = [("bnrenorm", "far away", False), ("PyTorch eager", "near", True)]
    monkeypatch.setattr(checks, "check", lambda job, device, folder: results)
    assert not command.check(CHOSEN, Device("cpu"), None, console)
    assert console.file.getvalue().count("WRONG bnrenorm: far away") == 2
    monkeypatch.setattr(checks, "check", lambda job, device, folder: results[1:])
    assert command.check(CHOSEN, Device("cpu"), None, console)


def test_without_a_gpu_the_command_says_so(monkeypatch):
    monkeypatch.setattr(_compat, "gpu_count", lambda: 0)
    with pytest.raises(typer.BadParameter, match="--device cuda: CuPy has 0 GPUs"):
        main(device="cuda")
    with pytest.raises(typer.BadParameter, match="unknown job 'tiny'"):
        main(job=["tiny"], device="rehearsal")
    with pytest.raises(typer.BadParameter, match="unknown job 'small-30'"):
        main(job=["small-30"])


def test_a_rehearsal_is_short_and_saves_nothing(monkeypatch):
    ran = []
    monkeypatch.setattr(command, "run", lambda *arguments: ran.append(arguments) or True)
    with pytest.raises(typer.Exit) as end:
        main(job=["micro-batch"], device="rehearsal")
    assert end.value.exit_code == 0
    ((jobs, device, samples, seconds, out, _),) = ran
    assert (device.name, samples, seconds, out) == ("cpu", 2, 300, None)
    assert all(len(job.replicas) <= 12 for job in jobs)


def test_a_rehearsal_prepares_the_references_of_the_whole_jobs(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(checks, "reference", lambda job, folder: asked.append((len(job.replicas), folder)))
    with pytest.raises(typer.Exit) as end:
        main(job=["micro-batch-999", "small-1"], device="rehearsal", reference=tmp_path)
    assert end.value.exit_code == 0
    assert asked == [(999, tmp_path), (1, tmp_path)]
