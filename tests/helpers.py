"""What several test files use: data sets of a few digits, small experiments, and records as arrays."""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from bnrenorm.analysis.results import ExperimentResults
from bnrenorm.config import document
from bnrenorm.config.build import build
from bnrenorm.data import mnist
from bnrenorm.data.dataset import Dataset
from bnrenorm.engines.backend import CPU, Backend
from bnrenorm.runs import memory
from bnrenorm.runs.plan import trial_keys
from bnrenorm.runs.runner import Progress
from bnrenorm.runs.session import Session
from bnrenorm.training.records import Record, TrialResults

COMPARED = """
name: compared
model: {hidden: [20]}
variants:
  BN: {norm: {kind: batch}}
  BRN: {norm: {kind: renorm, r_max: 3, d_max: 5}}
training: {steps: 4, optimizer: {lr: 0.1}}
seeds: 2
"""
"""An experiment of four trials that train together."""

FEW = "2 seeds: with fewer than 6 there is neither an interval nor a verdict"
"""What is noted of it before it trains."""

ENGINES = ("chainer", "cpu")

CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


def some_digits(train=2000, test=500):
    """Return the first real digits as a data set."""
    x = mnist.digits()
    return Dataset(x["x_train"][:train], x["y_train"][:train], x["x_test"][:test], x["y_test"][:test], "some digits")


def save_digits(path, train=300, test=100):
    """Write the first real digits to an .npz for `data.path`, and return its path."""
    data = some_digits(train, test)
    np.savez(path, x_train=data.x_train, y_train=data.y_train, x_test=data.x_test, y_test=data.y_test)
    return path


def experiment_of(text, overrides=()):
    """Return the experiment of a YAML text, with `--set` overrides; errors name it x.yaml."""
    parsed = document.parse(text, "x.yaml")
    for assignment in overrides:
        parsed.override(assignment)
    return build(parsed)


def trials_of(text, images=1000, overrides=()):
    """Return the trials of a YAML text, to which a name is added, for a training set of that many images."""
    return experiment_of(f"name: a\n{text}", overrides).trials(images)


def need_of(text, backend, images=2000):
    """Return what a trial of a YAML text needs of memory, for that many training images and 500 of tests."""
    return memory.need(trials_of(text, images)[0], some_digits(images, 500), backend)


def opened(experiment, data):
    """Return what a `Watcher` is told besides the experiment: its trials with their keys, the images, the CPU."""
    backend = Backend(CPU, "cpu")
    return trial_keys(experiment, data, backend), data, backend


def results_of(text=COMPARED, accuracy=lambda trial: 0.5, folder=Path("nowhere")):
    """Return the results of an experiment whose trials all have a given test accuracy, without training it."""
    experiment, data = experiment_of(text), some_digits(200, 100)
    trials = []
    for trial in experiment.trials(len(data.x_train)):
        curve = [0.5 * accuracy(trial), accuracy(trial)]
        records = {
            "step": [1, 2],
            "epoch": [1.0, 2.0],
            **dict.fromkeys(("train_accuracy", "test_accuracy", "inference_mode_accuracy"), curve),
            **{name: [2.0, 1.0] for name in ("train_loss", "test_loss")},
        }
        made_by = {"engine": "cpu", "device": "cpu", "date": "2020-01-01T00:00:00+00:00"}
        trials.append((trial, TrialResults("finished", 1.0, records, made_by)))
    return ExperimentResults(experiment, data.described, "cpu", trials, folder)


def run_command(*arguments, **options):
    """Run the command line in a process of its own, and return the process and what it printed."""
    command = [sys.executable, "-m", "bnrenorm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def fresh(code, warnings="error"):
    """Run code in a new interpreter, in which warnings are errors, and return what it prints."""
    command = [sys.executable, "-W", warnings, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored_numbers(out):
    """Return what the trials in a folder of results hold, by their files' names, without times, versions and commands."""
    found = {}
    for path in sorted((Path(out) / "trials").glob("*.json")):
        content = json.loads(path.read_text())
        found[path.name] = {key: content[key] for key in content.keys() - {"seconds", "checksum", "provenance"}}
    return found


def batch_at(sampler, seed, step):
    """Return the indices (N,) of the images in a seed's batch of a step."""
    table, counts = sampler.table([seed], step, 1)
    return table[0, 0, : counts[0]]


def curves(records):
    """Return the four curves of records as an array (T, 4, R); None, where no record was due, is left out."""
    return np.array([[record.values[name] for name in CURVES] for record in records if record is not None])


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


def progress(done, losses=(1.0, 2.0), total=100):
    """Report the step of BN and BRN, one network each, at which `done` of all replica-steps are done."""
    trials = trials_of("variants: {BN: {norm: {kind: batch}}, BRN: {norm: {kind: renorm}}}\ntraining: {steps: 50}")
    return Progress(done, total, trials, Record(done // 2, 1.0, {"train_loss": np.array(losses)}))


def lose_a_trial(monkeypatch):
    """Let every run end as if no worker had survived one of its trials; return what is said of that."""
    real, lost = Session.run, "1 trial has no result"

    @contextmanager
    def run(session):
        with real(session) as outcome:
            yield replace(outcome, failures=(lost,))

    monkeypatch.setattr(Session, "run", run)
    return lost
