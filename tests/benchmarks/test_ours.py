from dataclasses import replace

import numpy as np
import pytest

from benchmarks import data
from benchmarks.cuda.device import Device
from benchmarks.cuda.jobs import JOBS
from benchmarks.cuda.peers import ours as on_device
from benchmarks.peers import ours
from bnrenorm.engines.cuda.engine import CudaEngine
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.select import make_engine

JOB = replace(JOBS["small-30"], seeds=(0, 1), round=2, eval_sets=("train_set", "test"), eval_share=100)


def cuda_without_gpu(name, trials, data, device, network):
    """Do what `engines.select.make_engine` does, with NumPy for a GPU."""
    chainer = make_engine("chainer", trials, data, device, network)
    return CudaEngine(chainer.replicas, chainer.inputs, ops=Reference())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["chainer", "cuda"])
def test_a_share_of_each_set_is_evaluated(monkeypatch, engine):
    if engine == "cuda":
        monkeypatch.setattr(ours.loop, "make_engine", cuda_without_gpu)
    values = ours.prepare(JOB, JOB.replicas, engine)()
    assert set(values) == {f"{name}_{kind}" for name in ("train", "train_set", "test") for kind in ("loss", "accuracy")}
    for name, images in (("train_set", 600), ("test", 100)):
        right = values[f"{name}_accuracy"] * images
        np.testing.assert_allclose(right, right.round(), atol=1e-6)
        assert (right > 0).all()
    assert [len(x) for x, _ in data.blocks(JOB, "train_set")] == [600]


@pytest.mark.parametrize(("prepare", "engine"), [(on_device.prepare, "cuda"), (on_device.prepare_chainer, "chainer")])
def test_the_engine_of_a_gpu_gets_its_device(monkeypatch, prepare, engine):
    asked = []
    monkeypatch.setattr(ours, "prepare", lambda *arguments: asked.append(arguments))
    device = Device("cpu")
    device.name, device.rehearsal = "cuda:1", False
    prepare(JOB, JOB.replicas, device)
    assert asked == [(JOB, JOB.replicas, engine, "cuda:1")]


def test_fewer_batches_are_the_first_of_an_epoch():
    job = replace(JOB, batch=30_000)
    epoch = data.batches(job, 1)
    assert epoch.shape == (2, 30_000)
    assert (np.sort(epoch, axis=None) == np.arange(60_000)).all()
    assert (data.batches(job, 1, 1) == epoch[:1]).all()


def test_weights_are_the_same_for_every_contender():
    first, again = data.weights(JOB, 1, 3), data.weights(replace(JOB, batch=4), 1, 3)
    assert first.shape == (10, 400)
    assert (first == again).all()
    assert (first != data.weights(JOB, 1, 4)).any()
    assert abs(first.std() * 20 - 1) < 0.05
