"""How much memory a group of Chainer's engine is expected to need."""

import pytest

from bnrenorm.engines.backend import Backend
from tests.helpers import need_of

CHAINER, CHAINER_ON_GPU = Backend("chainer", "cpu"), Backend("chainer", "cuda:0")


@pytest.mark.parametrize(
    ("plain", "costly"),
    [
        ("model: {activation: relu}", "model: {activation: softplus}"),
        ("norm: {kind: batch}", "norm: {kind: layer}"),
        ("norm: {kind: batch}", "model: {dropout: {form: exact, keep_hidden: 0.5}}"),
        ("evaluation: {statistics: running}", "evaluation: {statistics: batch, training_set: true}"),
    ],
)
def test_by_chainer_on_a_gpu_functions_with_more_steps_need_more(plain, costly):
    first, second = (need_of(f"training: {{batch: 1000}}\n{text}", CHAINER_ON_GPU) for text in (plain, costly))
    assert second.per_replica > first.per_replica


@pytest.mark.parametrize("backend", [CHAINER, CHAINER_ON_GPU])
def test_only_statistics_of_the_evaluated_set_itself_take_all_of_its_activations_at_once(backend):
    running, population, batch = (
        need_of(f"training: {{batch: 20}}\nevaluation: {{statistics: {kind}, training_set: true}}", backend, 5000)
        for kind in ("running", "population", "batch")
    )
    assert population == running
    assert batch.per_replica - running.per_replica > 2000 * 400 * 4
