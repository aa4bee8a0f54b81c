import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.errors import InputError, OutOfMemory
from bnrenorm.runs import estimate
from tests.helpers import COMPARED, experiment_of, some_digits
from tests.runs.runs import networks_alive


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
        (Backend("cuda", "cuda:0"), COMPARED, 1 + 4 + 2 + 1),
        (Backend("cuda-tf32", "cuda:0"), COMPARED, 1 + 4 + 2 + 1),
        (Backend("cuda", "cuda:0"), COMPARED.replace("steps: 4", "steps: 4, batch: 10"), 1 + 4 + 50 + 1),
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
    monkeypatch.setattr(estimate.devices, "release_memory", lambda device: None)
    group = experiment_of(text).trials(200)
    assert estimate.estimate_seconds(group, some_digits(200, 50), backend) == 100 * 0.5 + 4 * 3
    assert engines == [(backend.engine, backend.device)]
    assert rehearsal.taken == steps


def test_steps_that_are_over_at_once_are_timed_for_longer(monkeypatch):
    """The first ones take a hundred times as long as the others, as where caches are cold."""

    class Short(Rehearsal):
        def rehearse(self, *, steps=1, record=True):
            self.clock.now += sum(1e-2 if self.taken + i < 10 else 1e-4 for i in range(steps)) + 3 * record
            self.taken += steps

    monkeypatch.setattr(estimate, "Training", Short(clock := Clock(), []))
    monkeypatch.setattr(estimate, "time", clock)
    group = experiment_of(COMPARED.replace("steps: 4", "steps: 4, batch: 10")).trials(200)
    seconds = estimate.estimate_seconds(group, some_digits(200, 50), Backend("cpu", "cpu"))
    assert seconds == pytest.approx(100 * 1e-4 + 4 * 3)


def test_a_clock_that_stands_still_does_not_ask_for_endless_steps(monkeypatch):
    class Coarse(Rehearsal):
        def rehearse(self, *, steps=1, record=True):
            self.clock.now += 0.25 * (steps > 1000) + 3 * record
            self.taken += steps

    monkeypatch.setattr(estimate, "Training", rehearsal := Coarse(clock := Clock(), []))
    monkeypatch.setattr(estimate, "time", clock)
    group = experiment_of(COMPARED.replace("steps: 4", "steps: 4, batch: 10")).trials(200)
    seconds = estimate.estimate_seconds(group, some_digits(200, 50), Backend("cpu", "cpu"))
    assert rehearsal.taken < 1200
    assert seconds == pytest.approx(100 * 0.25 / 1100 + 4 * 3, rel=1e-3)


def test_a_group_that_a_gpu_cannot_hold_is_estimated_by_its_half(monkeypatch):
    """Five replicas are trained as two and three, and the two, for which there is memory, are timed."""
    clock, tried, released = Clock(), [], []

    class Small(Rehearsal):
        def __call__(self, group, data, *, engine, device):
            tried.append(len(group))
            if len(group) > 2:
                raise OutOfMemory(f"{device}: full")
            return super().__call__(group, data, engine=engine, device=device)

    monkeypatch.setattr(estimate, "Training", Small(clock, []))
    monkeypatch.setattr(estimate, "time", clock)
    monkeypatch.setattr(estimate.devices, "release_memory", released.append)
    group = experiment_of(COMPARED.replace("seeds: 2", "seeds: 5")).trials(200)[:5]
    backend = Backend("chainer", "cuda:0")
    assert estimate.estimate_seconds(group, some_digits(200, 50), backend) == (100 * 0.5 + 4 * 3) * 5 / 2
    assert (tried, released) == ([5, 2], ["cuda:0"] * 2)


def test_a_network_that_a_gpu_cannot_hold_is_an_input_error(monkeypatch):
    def full(*_, **__):
        raise OutOfMemory("cuda:0: full")

    monkeypatch.setattr(estimate, "Training", full)
    monkeypatch.setattr(estimate.devices, "release_memory", lambda device: None)
    with pytest.raises(InputError, match="BN: one network needs more memory than cuda:0 has"):
        estimate.estimate_seconds(
            experiment_of(COMPARED).trials(200), some_digits(200, 50), Backend("chainer", "cuda:0")
        )


@pytest.mark.parametrize("engine", ["chainer", "cpu"])
def test_a_real_rehearsal_returns_seconds(engine):
    group = experiment_of(COMPARED).trials(200)
    assert 0 < estimate.estimate_seconds(group, some_digits(200, 50), Backend(engine, "cpu")) < 10


def groups_of(text):
    """Return the groups of an experiment on 200 images, one for each grid point."""
    experiment = experiment_of(text)
    trials = experiment.trials(200)
    return [[trial for trial in trials if trial.point == point] for point in experiment.points]


def estimated(monkeypatch, text, *, seconds, found=(12.0, 12.0, 12.0)):
    """Return the estimates of an experiment's groups where each rehearsal takes some seconds, and how many there were.

    found: what the rehearsals find, one after another.
    """
    clock, rehearsed = Clock(), []

    def rehearse(group, data, backend):
        clock.now += seconds
        rehearsed.append(group)
        return found[len(rehearsed) - 1]

    monkeypatch.setattr(estimate, "time", clock)
    monkeypatch.setattr(estimate, "estimate_seconds", rehearse)
    estimates = list(estimate.estimates(groups_of(text), some_digits(200, 50), Backend("cpu", "cpu")))
    return estimates, len(rehearsed)


def test_one_group_of_a_structure_is_timed(monkeypatch):
    text = COMPARED + "grid: {training.optimizer.lr: [0.1, 0.2, 0.3]}"
    assert estimated(monkeypatch, text, seconds=1) == ([(12, True), (12, False), (12, False)], 1)


@pytest.mark.parametrize(
    ("axis", "want"),
    [
        ("training.steps: [4, 8, 2]", [12, 24, 6]),
        ("training.batch: [10, 20, full]", [12, 24, 240]),
        ("model.hidden: [[10], [20], [5]]", [12, 24, 6]),
    ],
)
def test_after_20_seconds_the_time_follows_from_the_work(monkeypatch, axis, want):
    found, rehearsals = estimated(monkeypatch, f"{COMPARED}grid: {{{axis}}}", seconds=20)
    assert (found, rehearsals) == ([(seconds, i == 0) for i, seconds in enumerate(want)], 1)
    assert estimated(monkeypatch, f"{COMPARED}grid: {{{axis}}}", seconds=9)[1] == 3


def test_after_20_seconds_the_time_is_by_all_that_was_timed(monkeypatch):
    """Two of three structures: 60 s for the work of 10 + 20 images a step, so 400 s for that of 200."""
    text = f"{COMPARED}grid: {{training.batch: [10, 20, full]}}"
    times, _ = estimated(monkeypatch, text, seconds=10, found=(12.0, 48.0))
    assert times == [(12, True), (48, True), (400, False)]


def test_a_group_of_fewer_replicas_takes_less_time(monkeypatch):
    (group,) = groups_of(COMPARED)
    monkeypatch.setattr(estimate, "estimate_seconds", lambda *_: 12.0)
    parts = [group, group[:1], group[:3]]
    found = estimate.estimates(parts, some_digits(200, 50), Backend("cpu", "cpu"))
    assert list(found) == [(12, True), (3, False), (9, False)]


def test_a_groups_memory_is_free_before_the_next_is_timed(monkeypatch):
    groups = groups_of(COMPARED + "grid: {training.batch: [10, 20, 30]}")
    with networks_alive(monkeypatch, estimate) as alive:
        list(estimate.estimates(groups, some_digits(200, 50), Backend("chainer", "cpu")))
    assert alive == [0, 0, 0]
