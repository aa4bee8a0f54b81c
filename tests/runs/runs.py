"""Runs on few digits: by the runner alone, and by a session with a witness."""

import gc
import weakref
from contextlib import contextmanager

from bnrenorm.engines.backend import Backend
from bnrenorm.runs import plan, runner, session
from tests.helpers import FEW, experiment_of

CHAINER = Backend("chainer", "cpu")


def train(text, data, store, report=lambda progress: None, memory=2**30, backend=CHAINER, note=lambda text: None):
    """Train what is missing, and return all results in the experiment's order."""
    todo = plan.plan(plan.trial_keys(experiment_of(text), data, backend), data, store, memory, backend)
    runner.train(todo, data, store, backend, report, note)
    return [(trial, store.read(key)) for trial, key in todo.keys.items()]


class Witness(session.Watcher):
    """Keeps what it is told besides FEW, and calls a function with each `Progress`."""

    def __init__(self, report=lambda progress: None):
        self.report, self.opened, self.steps, self.notes = report, [], [], []

    def opening(self, experiment, trials, data, backend):
        self.opened.append((experiment.name, len(trials), len(data.x_train), backend.engine))

    def note(self, text):
        self.notes += [text] if text != FEW else []

    @contextmanager
    def training(self):
        def report(progress):
            self.steps.append(progress.record.step)
            self.report(progress)

        yield report


def numbers(outcome):
    return [(trial.variant, trial.seed, result.outcome, result.records) for trial, result in outcome.trials]


@contextmanager
def networks_alive(monkeypatch, module):
    """Yield a list: for each training that a module makes, how many networks of those before are still in memory.

    Python collects no garbage in this context unless it is asked to.
    """
    made, alive = [], []

    class Watched(module.Training):
        def __init__(self, *arguments, **named):
            alive.append(sum(network() is not None for network in made))
            super().__init__(*arguments, **named)
            made.append(weakref.ref(self.engine.replicas.network))

    monkeypatch.setattr(module, "Training", Watched)
    gc.disable()
    try:
        yield alive
    finally:
        gc.enable()
