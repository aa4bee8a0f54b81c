"""What all engines' estimates have in common."""

import numpy as np
import pytest

from bnrenorm.engines import memory
from bnrenorm.engines.backend import Backend
from bnrenorm.engines.evaluate import GPU_BYTES
from tests.helpers import ENGINES, need_of, some_digits

CPU, CHAINER, CUDA = Backend("cpu", "cpu"), Backend("chainer", "cpu"), Backend("cuda", "cuda:0")
CHAINER_ON_GPU = Backend("chainer", "cuda:0")


def test_a_gpu_takes_no_more_replicas_than_the_second_axis_of_a_grid():
    for backend, want in ((CUDA, 65_535), (CHAINER_ON_GPU, 10**6)):
        needed = need_of("model: {hidden: [1]}", backend)
        assert needed.fitting(needed.of(10**6)) == want


@pytest.mark.parametrize("engine", ENGINES)
def test_a_group_takes_what_its_replicas_take_and_something_besides(engine):
    backend = Backend(engine, "cpu")
    full, wide = (need_of(f"model: {{hidden: [{width}]}}", backend) for width in (100, 200))
    assert wide.of(3) - wide.of(2) > 1.5 * (full.of(3) - full.of(2))
    assert full.fitting(full.of(5)) == 5
    assert full.fitting(full.of(5) - 1) == 4
    assert full.fitting(1) == 1
    assert full.fixed > 5 * 784 * 2000  # bytes, and as float32
    adam, sgd = (need_of(f"training: {{optimizer: {{kind: {kind}}}}}", backend) for kind in ("adam", "sgd"))
    assert adam.per_replica >= sgd.per_replica


def test_an_optimizer_without_kernels_is_taken_to_keep_as_much_as_adam(monkeypatch):
    adam, sgd = (need_of(f"training: {{optimizer: {{kind: {kind}}}}}", CHAINER) for kind in ("adam", "sgd"))
    monkeypatch.delitem(memory.CODES, "sgd")
    assert need_of("training: {optimizer: {kind: sgd}}", CHAINER) == adam != sgd


@pytest.mark.parametrize("engine", ["chainer", "cuda"])
@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("training: {batch: 10}", "training: {batch: 1000}"),
        ("model: {hidden: [100]}", "model: {hidden: [100, 100]}"),
        ("training: {batch: 10}", "training: {batch: 10, optimizer: {kind: adam}}"),
        ("training: {batch: 10}", "training: {batch: 10}\nevaluation: {average: 0.9}"),
    ],
)
def test_on_a_gpu_what_takes_more_needs_more(engine, less, more):
    small, large = (need_of(text, Backend(engine, "cuda:0")) for text in (less, more))
    assert large.per_replica > small.per_replica
    assert small.fixed > 4 * 784 * 2500  # the images as float32
    assert large.per_replica >= 4 * 784 * 100 * 3  # weights, gradients, velocities


def test_the_cpu_engines_replicas_share_their_activations():
    data = some_digits(2000, 500)
    compiled, graph, on_gpu = (need_of("", backend) for backend in (CPU, CHAINER, CHAINER_ON_GPU))
    lit, tested = (2 * np.count_nonzero(x) for x in (data.x_train, data.x_test))  # with those black beside lit ones
    assert compiled.fixed - graph.fixed == 4 * 2000 * (400 + 10) + 20 * tested // 4 + 2 * (20 * lit // 4)
    assert compiled.per_replica < graph.per_replica
    assert on_gpu.per_replica == graph.per_replica  # here the training's activations are the largest
    assert on_gpu.fixed == 4 * 784 * 2500 + GPU_BYTES + 200 * 2**20


@pytest.mark.parametrize("backend", [CHAINER, CPU, CUDA])
@pytest.mark.parametrize(("average", "kept"), [("null", 1), ("0.9", 2)])
def test_early_stopping_keeps_the_best_weights_and_their_average(backend, average, kept):
    plain, stopping = (
        need_of(
            f"""
model: {{hidden: [10]}}
data: {{validation: 50}}
evaluation: {{average: {average}}}
training: {{batch: 20, steps: 2, early_stopping: {early_stopping}}}
""",
            backend,
            200,
        )
        for early_stopping in ("null", "{patience: 5}")
    )
    assert stopping.per_replica - plain.per_replica == kept * 4 * (784 * 10 + 10 * 10)
