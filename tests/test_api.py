"""bnrenorm in a notebook: load, run, look at the results."""

import inspect
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import bnrenorm
from bnrenorm.analysis import outputs
from bnrenorm.runs.session import Watcher
from tests.helpers import COMPARED, lose_a_trial, stored_numbers

pytestmark = pytest.mark.slow


@pytest.fixture
def results(tmp_path, few_digits_file, config_file, no_pictures):
    experiment = bnrenorm.load(config_file(), seeds=3, training__steps=2, data__path=str(few_digits_file))
    return bnrenorm.run(experiment, device="cpu", out=tmp_path / "runs")


def test_a_notebook_gets_tables_verdicts_and_figures(results):
    assert len(results.summary) == 6
    assert list(results.curves["step"]) == [1, 2] * 6
    assert {"training_mode_accuracy", "layer1_r_50"} <= set(results.diagnostics.columns)
    (verdict,) = results.verdicts
    assert verdict["more_seeds"] == 3
    for choice in ({}, {"only": ("BN", "BRN")}):
        ax = results.plot.difference(ax=Figure().subplots(), **choice)
        assert ax.get_legend_handles_labels()[1] == ["equivalent: within 0.2 points", "BRN - BN"]
    assert results.plot.diagnosis(ax=Figure().subplots()).get_lines()[0].get_label().startswith("BN: ")
    lines = results.plot.curves(ax=Figure().subplots(), metric="train_loss").get_lines()
    want = results.curves[results.curves["variant"] == "BN"].groupby("step")["train_loss"].mean()
    assert list(lines[0].get_ydata()) == pytest.approx(list(want), rel=1e-14)


class Listener(Watcher):
    """Counts what it hears of."""

    def __init__(self):
        self.trials, self.reports = 0, 0

    def opening(self, experiment, trials, data, backend):
        self.trials += len(trials)

    @contextmanager
    def training(self):
        def count(progress):
            self.reports += 1

        yield count


def test_a_second_run_trains_nothing(results, tmp_path):
    listener = Listener()
    again = bnrenorm.run(results.experiment, device="cpu", out=tmp_path / "runs", watcher=listener)
    assert (listener.trials, listener.reports) == (6, 0)
    assert again.summary.equals(results.summary)
    assert again.folder == results.folder


def test_a_watcher_hears_of_every_step(results, tmp_path):
    listener = Listener()
    bnrenorm.run(results.experiment, device="cpu", out=tmp_path / "other", watcher=listener)
    assert (listener.trials, listener.reports) == (6, 2)


def test_paths_may_begin_at_home(results, tmp_path, config_file, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert bnrenorm.load(f"~/{config_file().relative_to(tmp_path)}").name == "compared"
    assert bnrenorm.run(results.experiment, device="cpu", out="~/runs").folder == results.folder


def test_the_engine_may_be_chosen(results, tmp_path):
    other = bnrenorm.run(results.experiment, device="cpu", engine="chainer", out=tmp_path / "runs")
    assert set(results.summary["engine"]) == {"cpu"}
    assert set(other.summary["engine"]) == {"chainer"}
    assert_allclose(other.summary["final_train_loss"], results.summary["final_train_loss"], rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "gpu"}, "^engine=gpu: expected auto, cpu, cuda or chainer"),
        ({"device": "gpu"}, "^device=gpu: expected auto, cpu, cuda or cuda:N"),
        ({"tf32": True, "device": "cpu"}, "^tf32: expected engine auto or cuda on a GPU"),
        ({"axes": "log"}, "^axes='log': expected 'effect' or 'article'"),
        ({"memory": "much"}, "^memory=much: expected a size such as 4GiB"),
        ({"memory": " "}, "^memory is empty, expected a size such as 4GiB"),
        ({"memory": "1KiB"}, "choose a smaller network or batch, or a larger memory$"),
        ({"workers": 0}, "^workers=0: expected 1 or more"),
        ({"workers": 2, "dask": "tcp://a:1"}, "^workers=2: the workers of dask=tcp://a:1 train"),
    ],
)
def test_bad_options_are_named(config_file, tmp_path, options, message):
    with pytest.raises(bnrenorm.InputError, match=message):
        bnrenorm.run(bnrenorm.load(config_file()), out=tmp_path / "runs", **options)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: bnrenorm.run(None), "experiment=None"),
        (lambda: bnrenorm.run(["x" * 99]), f"experiment=['{58 * 'x'}...: expected a config's name or path"),
        (lambda: bnrenorm.run("quick", device=0), "device=0"),
        (lambda: bnrenorm.run("quick", device=["x" * 999]), "device=['xxx"),
        (lambda: bnrenorm.run("quick", tf32=1), "tf32=1: expected True or False"),
        (lambda: bnrenorm.run("quick", memory=4), "memory=4: expected a size such as '4GiB'"),
        (lambda: bnrenorm.run("quick", out=None), "out=None: expected a folder"),
        (lambda: bnrenorm.run("quick", workers="2"), "workers='2': expected a number of processes"),
        (lambda: bnrenorm.run("quick", workers=True), "workers=True: expected a number of processes"),
        (lambda: bnrenorm.run("quick", workers=np.float64(2)), f"workers={np.float64(2)!r}: expected"),
        (lambda: bnrenorm.run("quick", dask=8786), "dask=8786: expected an address such as 'tcp://scheduler:8786'"),
        (lambda: bnrenorm.run("quick", watcher=print), "watcher=<built-in function print>"),
        (lambda: bnrenorm.load(None), "config=None: expected a config's name or path"),
        (lambda: bnrenorm.load([1]), "config=[1]: expected a config's name or path, or a dictionary"),
    ],
)
def test_an_argument_of_another_type_is_named(call, argument):
    with pytest.raises(TypeError) as error:
        call()
    assert str(error.value).startswith(argument)
    assert "expected" in str(error.value)
    assert len(str(error.value)) < 160


def test_settings_go_to_load_and_arguments_to_run():
    for call, message in ((bnrenorm.run, "no argument worker; "), (bnrenorm.load, "no setting is called worker; ")):
        with pytest.raises(TypeError, match=f"{message}did you mean workers"):
            call("quick", worker=2)
    with pytest.raises(TypeError, match=r"seeds; .* bnrenorm.run\(bnrenorm.load\('quick', seeds=...\)\)$"):
        bnrenorm.run("quick", seeds=1)
    with pytest.raises(TypeError, match=r"no argument seeds, name; .*bnrenorm.load\(..., seeds=..., name=...\)\)$"):
        bnrenorm.run(bnrenorm.load("quick"), seeds=1, name="mine")
    for name in list(inspect.signature(bnrenorm.run).parameters)[1:-1]:  # without `experiment` and `others`
        with pytest.raises(TypeError, match=rf"^{name} is an argument of bnrenorm.run, not of bnrenorm.load"):
            bnrenorm.load("quick", **{name: None})


@pytest.mark.parametrize("kind", [str, Path])
def test_a_run_takes_a_name_or_a_path_too(config_file, few_digits_file, tmp_path, monkeypatch, no_pictures, kind):
    monkeypatch.chdir(tmp_path)
    config = config_file(f"{COMPARED}data: {{path: {few_digits_file}}}")
    results = bnrenorm.run(kind(config), device="cpu")
    assert results.experiment.name == "compared"
    assert results.folder.parent == Path("runs")
    with pytest.raises(bnrenorm.InputError, match="unknown config 'quick--out'; did you mean quick"):
        bnrenorm.run(kind("quick--out"))


def test_the_axes_of_the_figures_may_be_chosen(results, tmp_path, monkeypatch):
    choices = []
    monkeypatch.setattr(outputs, "write_pictures", lambda results, axes: choices.append(axes) or [])
    for choice in ({}, {"axes": "article"}):
        bnrenorm.run(results.experiment, device="cpu", out=tmp_path / "runs", **choice)
    assert choices == ["effect", "article"]


def test_a_figure_that_fails_is_a_warning(results, tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "figures", lambda *_: {"loss": lambda: 1 / 0})
    with pytest.warns(UserWarning, match=r"loss\.png: not drawn: ZeroDivisionError") as caught:
        again = bnrenorm.run(results.experiment, device="cpu", out=tmp_path / "runs")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert again.summary.equals(results.summary)


def test_trials_that_no_worker_survived_are_a_warning(results, tmp_path, monkeypatch):
    lost = lose_a_trial(monkeypatch)
    with pytest.warns(UserWarning, match=lost) as caught:
        bnrenorm.run(results.experiment, device="cpu", out=tmp_path / "runs")
    assert caught[0].filename == __file__


@pytest.fixture
def run_script(results, tmp_path):
    """A function that runs a script, whose arguments are the run folder and one for results of workers."""

    def run_script(*lines):
        script = tmp_path / "script.py"
        script.write_text("\n".join(("import sys, bnrenorm", *lines)))
        arguments = [sys.executable, script, results.folder, tmp_path / "workers"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        return subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)

    return run_script


def test_workers_train_what_this_process_would(run_script, tmp_path):
    call = "bnrenorm.run(sys.argv[1], device='cpu', out=sys.argv[2], workers=2)"
    done = run_script("if __name__ == '__main__':", f"    {call}")
    assert (done.returncode, done.stderr) == (0, "")
    assert stored_numbers(tmp_path / "workers").keys() == stored_numbers(tmp_path / "runs").keys()


def test_a_script_whose_workers_would_run_it_again_is_told_what_it_needs(run_script):
    done = run_script("bnrenorm.run(sys.argv[1], device='cpu', out=sys.argv[2], workers=1)")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "bnrenorm.errors.InputError: workers=1: they did not start (Nanny failed to start.); a script must call "
        'bnrenorm.run below `if __name__ == "__main__":`, because workers import it; else open files or processes may be '
        "limited"
    )
