"""With a clock that the contenders themselves move: nothing is timed."""

import sys
import time

import numpy as np
import pytest

from benchmarks.cuda import contenders, measure
from benchmarks.cuda.contenders import CHAINER, EAGER, OURS, PRODUCTS, VMAP
from benchmarks.cuda.device import Device
from benchmarks.cuda.jobs import JOBS
from benchmarks.peers import Missing

JOB = JOBS["micro-batch-30"]  # 30 replicas, 250 steps a round


class Track:
    """Contenders that take a fixed time to prepare and for each round, and the order in which they ran."""

    def __init__(self, monkeypatch, preparation=None, rounds=None, failures=None):
        self.now, self.order, self.said = 0.0, [], []
        self.preparation, self.rounds, self.failures = preparation or {}, rounds or {}, failures or {}
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(contenders, "of", lambda job: [OURS, EAGER, VMAP, PRODUCTS, CHAINER])
        monkeypatch.setattr(measure, "prepare", self.prepare)
        monkeypatch.setattr(measure.gc, "collect", lambda: 0)  # of hundreds of samples, in a process full of tests

    def prepare(self, contender, job, device):
        self.now += self.preparation.get(contender, 0.0)
        if contender in self.failures:
            raise self.failures[contender]

        def run():
            self.now += self.rounds.get(contender, 0.1)
            self.order.append(contender)
            return {}

        return measure.Prepared(contender, [run], job.replicas[:10])

    def measure(self, seconds=1000.0, samples=3, job=JOB):
        measurements = measure.measure(job, Device("cpu"), samples, seconds, self.said.append)
        return {measurement.contender: measurement.samples for measurement in measurements}


@pytest.mark.parametrize(("name", "before"), [("micro-batch-30", 2), ("full-batch-2", 3)])
def test_samples_are_taken_in_turn_after_a_warm_up(monkeypatch, name, before):
    """Which has another round where a round is a single step: the second step of PyTorch's compiled ones is slow, too."""
    track = Track(monkeypatch, rounds=dict.fromkeys([OURS, EAGER, VMAP, PRODUCTS, CHAINER], 0.6))
    measured = track.measure(job=JOBS[name])
    assert track.order == [c for c in measured for _ in range(before)] + list(measured) * 3
    assert all(len(samples) == 3 for samples in measured.values())


def test_a_sample_is_the_time_of_a_step_of_a_replica(monkeypatch):
    track = Track(monkeypatch, rounds={OURS: 0.05, EAGER: 0.75})
    measured = track.measure()
    assert measured[OURS] == pytest.approx([1e6 * 0.05 / (10 * 250)] * 3)  # of ten rounds each
    assert measured[EAGER] == pytest.approx([1e6 * 0.75 / (10 * 250)] * 3)
    assert track.order.count(OURS) == 2 + 3 * 10
    assert track.order.count(EAGER) == 2 + 3


def test_samples_are_shorter_when_time_is_short(monkeypatch):
    track = Track(monkeypatch, rounds=dict.fromkeys([OURS, EAGER, VMAP, PRODUCTS, CHAINER], 0.01))
    track.measure(seconds=0.1 + 5 * 3 * 0.0401)
    assert track.order.count(OURS) == 2 + 3 * 4


@pytest.mark.parametrize(("slow", "samples"), [(0.1, 7), (1.0, 5), (9.0, 3)])
def test_contenders_that_become_slow_are_sampled_less_often(monkeypatch, slow, samples):
    """Five rounds take 0.5 s while they are warmed up, and five times `slow` later."""
    track = Track(monkeypatch)
    monkeypatch.setattr(measure, "_SAMPLE", 0.1)
    monkeypatch.setattr(measure.gc, "freeze", lambda: track.rounds.update(dict.fromkeys(contenders.of(JOB), slow)))
    measured = track.measure(seconds=22.0, samples=7)
    assert {len(taken) for taken in measured.values()} == {samples}
    assert ("stopped after" in " ".join(track.said)) == (samples < 7)


def test_what_no_gate_needs_is_left_out_when_time_is_short(monkeypatch):
    track = Track(monkeypatch, preparation={OURS: 5.0, EAGER: 5.0, VMAP: 5.0})
    assert set(track.measure(seconds=15.0)) == {OURS, EAGER, VMAP}  # prepared after 0, 5 and 10 seconds
    assert [text for text in track.said if "left out" in text] == [
        "floor: matrix products is left out: no time for it, more with --seconds",
        "bnrenorm's Chainer engine is left out: no time for it, more with --seconds",
    ]


def test_what_takes_too_long_to_sample_is_left_out(monkeypatch):
    track = Track(monkeypatch, rounds={CHAINER: 5.0, VMAP: 5.0})
    assert set(track.measure(seconds=24.0)) == {OURS, EAGER, VMAP, PRODUCTS}
    assert "its samples would take too long" in " ".join(track.said)


def test_a_peer_that_fails_is_named_and_the_others_go_on(monkeypatch):
    failures = {EAGER: Missing("PyTorch is not installed"), VMAP: MemoryError("no room\nfor it")}
    track = Track(monkeypatch, failures=failures)
    assert set(track.measure()) == {OURS, PRODUCTS, CHAINER}
    assert track.said[1:3] == [
        "PyTorch eager is left out: PyTorch is not installed",
        "PyTorch vmap is left out: MemoryError: no room",
    ]


def test_bnrenorms_own_failure_is_raised(monkeypatch):
    track = Track(monkeypatch, failures={OURS: RuntimeError("broken")})
    with pytest.raises(RuntimeError, match="broken"):
        track.measure()


def test_a_contender_is_built_from_its_module_with_its_replicas():
    job, device = JOBS["micro-batch-1"], Device("cpu")
    prepared = measure.prepare(contenders.UPDATE, job, device)
    assert prepared.replicas == job.replicas
    assert prepared.round() == [{}]


def test_pytorch_is_missing_where_there_is_none_but_not_where_it_fails(monkeypatch, tmp_path):
    for module in [
        name for name in sys.modules if name.startswith(("benchmarks.peers.torch_", "benchmarks.cuda.peers."))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Missing, match="PyTorch is not installed"):
        measure.prepare(EAGER, JOB, Device("cpu"))
    monkeypatch.delitem(sys.modules, "torch")
    (tmp_path / "torch.py").write_text("import an_old_cublas\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="an_old_cublas"):
        measure.prepare(EAGER, JOB, Device("cpu"))


def test_every_network_is_trained_where_all_are_compared(monkeypatch):
    class Module:
        prepare = staticmethod(lambda job, replicas, device: lambda: {"train_loss": np.zeros(len(replicas))})

    monkeypatch.setattr(measure.importlib, "import_module", lambda name: Module)
    device = Device("cpu")
    assert len(measure.prepare(EAGER, JOB, device).runs) == 3
    assert measure.prepare(EAGER, JOB, device, every=True).replicas == JOB.replicas
