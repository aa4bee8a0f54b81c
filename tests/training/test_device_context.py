"""The engine is used in the context of its device, from whatever thread."""

import threading
from contextlib import contextmanager

import pytest

from bnrenorm import _compat
from bnrenorm.training import loop
from tests.helpers import trials_of


class Watched:
    """An engine that is touched in the context of its device only."""

    def __init__(self, engine, current):
        vars(self).update(engine=engine, current=current)

    def __getattr__(self, name):
        assert set(self.current) == {"cpu"}, name
        return getattr(self.engine, name)

    def __setattr__(self, name, value):
        assert set(self.current) == {"cpu"}, name
        setattr(self.engine, name, value)


def test_whatever_touches_the_engine_uses_the_devices_context(monkeypatch, digits):
    """A thread's current device is 0 at first, whatever the training's is."""
    current, make_engine = [], loop.make_engine

    @contextmanager
    def using(name):
        current.append(name)
        yield
        current.pop()

    def make_watched(*arguments):
        assert current == ["cpu"]
        return Watched(make_engine(*arguments), current)

    monkeypatch.setattr(loop, "make_engine", make_watched)
    monkeypatch.setattr(loop.devices, "using", using)
    text = "model: {hidden: [4]}\ndata: {validation: 50}\nevaluation: {every: 1, training_set: true, parameters: true}"
    group = trials_of(f"{text}\ntraining: {{batch: 20, steps: 3, early_stopping: {{patience: 2}}}}", 2000)
    training = loop.Training(group, digits)
    assert len(list(training)) == 4
    loop.Training(group, digits).load_state_dict(training.state_dict())
    loop.Training(group, digits).rehearse()
    assert training.parameters()[0].keys() >= {"linears/0/W"}
    assert current == []


@pytest.mark.gpu
def test_any_gpu_trains_from_any_thread(digits):
    if _compat.gpu_count() < 2:
        pytest.skip("there is one GPU only")  # the fault needs a second one
    text = "model: {hidden: [6]}\ndata: {validation: 50}\nevaluation: {every: 2}\nseeds: 2"
    group = trials_of(f"{text}\ntraining: {{batch: 20, steps: 4, early_stopping: {{patience: 5}}}}", 2000)
    ends = {}

    def train(device):
        training = loop.Training(group, digits, device=device)
        list(training)
        resumed = loop.Training(group, digits, device=device)
        resumed.load_state_dict(training.state_dict())
        ends[device] = resumed.state_dict()

    for device in ("cuda:0", "cuda:1"):
        thread = threading.Thread(target=train, args=[device])
        thread.start()
        thread.join()
    assert ends["cuda:0"].keys() == ends["cuda:1"].keys()
    assert all((ends["cuda:0"][name] == ends["cuda:1"][name]).all() for name in ends["cuda:0"])
