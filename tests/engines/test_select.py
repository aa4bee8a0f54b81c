import numpy as np
import pytest

from bnrenorm.engines.chainer import ChainerEngine
from bnrenorm.engines.cpu.engine import CpuEngine
from bnrenorm.engines.cuda import engine as cuda
from bnrenorm.engines.cuda.engine import CudaEngine
from bnrenorm.engines.select import make_engine
from bnrenorm.network import mlp
from tests.helpers import some_digits, trials_of


@pytest.fixture(scope="module")
def few():
    return some_digits(100, 50)


@pytest.mark.parametrize(("name", "kind"), [("cpu", CpuEngine), ("chainer", ChainerEngine)])
def test_an_engine_is_made_by_name(few, name, kind):
    assert isinstance(make_engine(name, trials_of("model: {hidden: [4]}", 100), few, "cpu"), kind)


@pytest.mark.parametrize("name", ["cpu", "chainer"])
def test_a_network_of_ones_own_is_trained(few, name):
    trials = trials_of("model: {hidden: [4]}", 100)
    network = mlp.build(trials, 784)
    before = network.linears[0].W.array.copy()
    engine = make_engine(name, trials, few, "cpu", network)
    engine.advance(0, 1, observe=False)
    assert engine.replicas.network is network
    assert np.any(network.linears[0].W.array != before)


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "tf32"), [("cuda", False), ("cuda-tf32", True)])
def test_the_engines_of_a_gpu_are_made_by_name(few, name, tf32):
    engine = make_engine(name, trials_of("model: {hidden: [4]}", 100), few, "cuda:0")
    assert isinstance(engine, CudaEngine)
    assert engine.tf32 == tf32


@pytest.mark.parametrize(("name", "tf32"), [("cuda", False), ("cuda-tf32", True)])
def test_the_engine_of_a_gpu_is_told_how_products_round(few, monkeypatch, name, tf32):
    monkeypatch.setattr(cuda, "CudaEngine", lambda replicas, inputs, *, tf32: tf32)
    assert make_engine(name, trials_of("model: {hidden: [4]}", 100), few, "cpu") is tf32


def test_engines_start_from_the_same_weights(few):
    trials = trials_of("model: {hidden: [4]}\nseeds: 2", 100)
    cpu, chainer = (make_engine(name, trials, few, "cpu").replicas.state_dict() for name in ("cpu", "chainer"))
    assert all(np.array_equal(cpu[name], chainer[name]) for name in chainer)
