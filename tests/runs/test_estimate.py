import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.runs import estimate
from tests.helpers import COMPARED, experiment_of, some_digits


class Rehearsal:
    """A training of 100 steps and a record every 30, whose first step takes 7 s, others 0.5 s, and a record 3 s."""

    total, every = 100, 30

    def __init__(self, clock, engines):
        self.clock, self.engines, self.taken = clock, engines, 0

    def __call__(self, group, data, *, engine, device):
        self.engines.append((engine, device))
        return self

    def rehearse(self, *, steps=1, record=True):
        self.clock.now += 0.5 * steps + 3 * record + (0 if self.taken else 6.5)
        self.taken += steps


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.mark.parametrize(
    ("backend", "text", "steps"),
    [
        (Backend("chainer", "cuda:0"), COMPARED, 1 + 2 + 1),
        (Backend("cpu", "cpu"), COMPARED, 1 + 2 + 1),
        (Backend("cpu", "cpu"), COMPARED.replace("steps: 4", "steps: 4, batch: 10"), 1 + 50 + 1),
        (Backend("chainer", "cpu"), COMPARED.replace("steps: 4", "steps: 4, batch: 10"), 1 + 2 + 1),
    ],
)
def test_an_estimate_is_the_time_of_a_rehearsal_for_all_steps_and_records(monkeypatch, backend, text, steps):
    clock, engines = Clock(), []
    rehearsal = Rehearsal(clock, engines)
    monkeypatch.setattr(estimate, "Training", rehearsal)
    monkeypatch.setattr(estimate, "time", clock)
    group = experiment_of(text).trials(200)
    assert estimate.estimate_seconds(group, some_digits(200, 50), backend) == 100 * 0.5 + 4 * 3
    assert engines == [(backend.engine, backend.device)]
    assert rehearsal.taken == steps


@pytest.mark.parametrize("engine", ["chainer", "cpu"])
def test_a_real_rehearsal_returns_seconds(engine):
    group = experiment_of(COMPARED).trials(200)
    assert 0 < estimate.estimate_seconds(group, some_digits(200, 50), Backend(engine, "cpu")) < 10
