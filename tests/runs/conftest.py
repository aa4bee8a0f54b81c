import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.runs import session
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, experiment_of, some_digits


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
        with session.run(experiment_of(text), backend, tmp_path / out, **options) as outcome:
            leave(outcome)
        return outcome

    return run
