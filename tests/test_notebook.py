"""What `bnrenorm.run` shows below a notebook's cell."""

import sys
from types import SimpleNamespace

import IPython
import IPython.display
import numpy as np
import pytest

import bnrenorm
from bnrenorm import config, notebook
from bnrenorm.runs import runner
from bnrenorm.runs.interrupt import Interrupted
from bnrenorm.runs.runner import Progress
from bnrenorm.training.records import Record
from tests.helpers import COMPARED, experiment_of, opened, some_digits


@pytest.fixture
def shown(monkeypatch):
    """A notebook's cell: the list of what its one output has been, as (text, HTML)."""
    contents = []

    def update(content, raw):
        assert raw
        contents.append((content["text/plain"], content["text/html"]))

    def display(content, raw, display_id):
        assert display_id
        assert not contents, "an output of its own for every update"
        update(content, raw)
        return SimpleNamespace(update=update)

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    return contents


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(notebook.time, "monotonic", lambda: now.seconds)
    return now


def progress_at(step, total=50, every=10):
    trials = config.load("quick", ["seeds=1", f"evaluation.every={every}"]).trials(1000)
    return Progress(2 * step, 2 * total, trials, Record(step, float(step), {"train_loss": np.array([1.0, np.nan])}))


def test_a_notebook_is_a_kernel_of_ipython_and_no_terminal(monkeypatch):
    assert not notebook.is_running()
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    assert notebook.is_running()
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace())
    assert not notebook.is_running()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not notebook.is_running()


def test_what_is_trained_is_escaped_and_stays_above_the_progress(shown, clock):
    experiment = experiment_of(COMPARED.replace("  BN:", "  <b>BN:"))
    cell = notebook.CellOutput()
    cell.opening(experiment, *opened(experiment, some_digits(200, 100)))
    cell.note("a & b")
    clock.seconds += 1
    with cell.training() as show:
        clock.seconds += 3
        show(progress_at(25, every=25))
    text, html = shown[-2]
    first, second, last = text.splitlines()
    assert first == "compared: <b>BN, BRN; seeds 0, 1; 4 trials; 200 + 100 images of some digits; on cpu"
    assert second == "Note: a & b."
    assert last == "50 %, step 25, loss BN 1, BRN diverged, 3 s left"
    assert "&lt;b&gt;BN" in html
    assert "a &amp; b" in html
    assert html.count("<br>") == 2
    assert '<br><progress value="0.5000" max="1"></progress> 50 %, step 25, ' in html


def test_the_time_left_is_that_of_this_runs_own_pace(shown, clock):
    """A run that goes on from step 20 has taken no time for the 20 steps before."""
    with notebook.CellOutput().training() as show:
        clock.seconds += 10
        show(progress_at(30))
        clock.seconds += 10
        show(progress_at(40))
    assert [text.rpartition(", ")[2] for text, _ in shown[:2]] == ["20 s left", "10 s left"]


def test_few_updates_are_sent_and_the_last_one_says_how_long_it_took(shown, clock):
    with notebook.CellOutput().training() as show:
        for step in range(1, 51):
            clock.seconds += 0.02
            show(progress_at(step))
    assert len(shown) == 6
    assert shown[-2][0] == "100 %, step 50, loss BN 1, BRN diverged, 0 s left"
    assert shown[-1][0] == "Trained in 1 s."
    assert "<progress" not in shown[-1][1]


def test_where_nothing_is_to_train_nothing_is_added(shown):
    cell = notebook.CellOutput()
    cell.tell("Every trial is stored already.")
    with cell.training():
        pass
    assert shown[-1][0] == "Every trial is stored already."


def test_the_compilation_is_announced_and_timed(shown, clock):
    cell = notebook.CellOutput()
    with cell.compiling():
        assert shown[-1][0].startswith("Compiling kernels")
        clock.seconds += 12
    assert shown[-1][0] == "Compiled in 12 s."


def test_an_interrupt_leaves_what_was_shown_and_prints_one_line(shown, clock):
    def train():
        with notebook.CellOutput().training() as show:
            show(progress_at(25))
            raise Interrupted

    with pytest.raises(Interrupted) as error:
        train()
    assert shown[-1][0].startswith("50 %")
    (line,) = error.value._render_traceback_()
    assert line == "Interrupted: everything is saved; run the same again, and it goes on from here."


@pytest.fixture
def experiment(config_file, few_digits_file, no_pictures):
    return bnrenorm.load(config_file(), seeds=1, training__steps=2, data__path=str(few_digits_file))


def test_a_run_shows_its_progress_in_a_notebook(experiment, tmp_path, shown):
    bnrenorm.run(experiment, device="cpu", engine="chainer", out=tmp_path / "runs")
    assert shown[0][0].startswith("compared: BN, BRN; seeds 0; 2 trials")
    assert "Trained in" in shown[-1][0]
    count = len(shown)
    bnrenorm.run(experiment, device="cpu", engine="chainer", out=tmp_path / "runs", progress=False)
    assert len(shown) == count


def test_a_script_shows_nothing(experiment, tmp_path, capsys):
    bnrenorm.run(experiment, device="cpu", engine="chainer", out=tmp_path / "runs")
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_outside_of_the_training_says_what_is_kept(experiment, tmp_path, shown, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        bnrenorm.run(experiment, device="cpu", engine="chainer", out=tmp_path / "runs")
    assert "finished trials are kept" in shown[-1][0].splitlines()[-2] + shown[-1][0].splitlines()[-1]


def test_workers_of_a_cluster_are_counted(shown):
    output = notebook.CellOutput()
    output.connected(1, "http://127.0.0.1:8787/status")
    output.connected(3, "http://a/status")
    assert shown[-1][0].splitlines() == [
        "1 worker, to be watched at http://127.0.0.1:8787/status",
        "3 workers, to be watched at http://a/status",
    ]
