"""The times of the proof, by clocks that are set."""

import sys
from types import SimpleNamespace

import pytest

from bnrenorm.cli.proof import speed
from bnrenorm.engines.backend import CPU, CUDA


def test_work_takes_the_median_of_its_times_without_the_first(monkeypatch):
    seconds = iter([100.0, 1.0, 9.0, 2.0, 3.0, 8.0])
    now = SimpleNamespace(clock=0.0, done=0.0)

    def work():
        now.done += next(seconds)

    def synchronize():
        now.clock = now.done

    stream = SimpleNamespace(synchronize=synchronize)
    cupy = SimpleNamespace(cuda=SimpleNamespace(get_current_stream=lambda: stream))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now.clock)
    assert speed._median(cupy, work) == 3


def test_the_steps_that_compile_are_not_timed(monkeypatch):
    class Training:
        def __init__(self, group, data, *, engine, device):
            self.seconds = iter([100.0, 3.0])

        def rehearse(self, *, steps, record):
            now.clock += next(self.seconds)

    now = SimpleNamespace(clock=0.0)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now.clock)
    monkeypatch.setattr(speed, "Training", Training)
    assert speed._seconds_a_step([], None, CUDA, "cuda:0", 200) == 3 / 200


@pytest.mark.parametrize(("used", "ok"), [(299, True), (300, True), (301, False)])
def test_memory_is_what_the_group_adds_to_the_pool_and_at_most_the_estimate(monkeypatch, used, ok):
    class Pool:
        blocks = 50 * 2**20  # which others left

        def total_bytes(self):
            return self.blocks

        def free_all_blocks(self):
            self.blocks = 2**20  # still in use

    def train(group, data, *, engine, device):
        pool.blocks += used * 2**20
        return ()

    pool = Pool()
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(get_default_memory_pool=lambda: pool))
    monkeypatch.setattr(speed, "Training", train)
    monkeypatch.setattr(speed, "need", lambda trial, data, backend: SimpleNamespace(of=lambda many: many * 6 * 2**20))
    (row,) = speed.memory("cpu")
    assert (row.check, row.result) == ("memory of 50 replicas", f"{used} MiB, estimated 300 MiB")
    assert row.ok is ok


@pytest.mark.parametrize(
    ("problem", "more"), [(None, "; CPU engine 100 ms, 10 times as long"), ("numba is not installed", "")]
)
def test_a_job_is_timed_per_step_and_replica_on_both_devices(monkeypatch, problem, more):
    times = {(CUDA, "cuda:1", 200): 0.03, (CPU, "cpu", 10): 0.3}
    monkeypatch.setattr(speed, "_seconds_a_step", lambda group, data, *what: times[what])
    monkeypatch.setattr(speed.support, "problem", lambda: problem)
    monkeypatch.setattr(speed, "IMAGES", (200, 50))
    monkeypatch.setattr(speed, "_JOBS", {"batch of 32": ("training.batch: 32\nseeds: 3", 200)})
    (row,) = speed.jobs("cuda:1")
    assert (row.check, row.result) == ("batch of 32", f"10 ms a step and replica{more}")
