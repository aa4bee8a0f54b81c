from types import SimpleNamespace

import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.runs import course
from bnrenorm.runs.interrupt import Request
from bnrenorm.runs.plan import Plan, trial_keys
from bnrenorm.runs.runner import Tally
from bnrenorm.runs.session import Session
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, experiment_of, results_of, some_digits


@pytest.fixture(scope="module")
def few():
    return some_digits(200, 100)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "runs")
    store.prepare()
    return store


@pytest.fixture
def run(few, tmp_path):
    """A function that runs a session on few digits into `tmp_path / out`."""

    def run(text=COMPARED, engine="chainer", out="out", watcher=None, leave=lambda outcome: None, **options):
        backend, load = Backend(engine, "cpu"), lambda path: few
        options |= {"memory": 2**30, "watcher": watcher, "load": load}
        with Session(experiment_of(text), backend, tmp_path / out, **options).run() as outcome:
            leave(outcome)
        return outcome

    return run


@pytest.fixture
def course_of(tmp_path):
    """A function that returns the course of one group, without a cluster, and what its trials would have found."""
    experiment, data = experiment_of(COMPARED), some_digits(200, 100)
    store = Store(tmp_path)
    store.prepare()
    keys = trial_keys(experiment, data, Backend("chainer", "cpu"))
    found = dict(zip(keys.values(), (result for _, result in results_of().trials), strict=True))

    def course_of(client=None, note=lambda text: None, groups=1):
        plan, run = (
            Plan(keys, [list(keys)[start::groups] for start in range(groups)]),
            SimpleNamespace(checksum=data.checksum, token="token", proof=store.checkpoints / ".token.tmp"),
        )
        return course._Course(plan, store, client, run, Tally(plan, lambda progress: None), note, Request()), found

    return course_of
