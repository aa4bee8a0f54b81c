"""How much memory a group of the CPU engine is expected to need."""

import numpy as np
import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.engines.cpu import memory
from bnrenorm.engines.cpu.ops.layout import layout_of
from bnrenorm.engines.cpu.small_batch.steps import workspaces
from bnrenorm.engines.spec import spec_of
from tests.helpers import need_of, some_digits, trials_of

CPU = Backend("cpu", "cpu")


SMALL = [
    "training: {batch: 300}",
    "norm: {kind: layer}\ntraining: {batch: full}\nmodel: {hidden: [30, 50, 20]}",
    "norm: {kind: renorm}\ntraining: {batch: full, micro_batch: 4}",
    "model: {hidden: [40], dropout: {form: exact, keep_input: 0.8}}\ntraining: {batch: 500}",
]


@pytest.mark.parametrize("text", SMALL)
def test_replicas_that_train_side_by_side_take_a_threads_scratch(text, monkeypatch):
    monkeypatch.setattr(memory, "threads", lambda: 3)
    data, (trial,) = some_digits(2000, 500), trials_of(text, 2000)
    needed, spec = memory.need(trial.settings, data), spec_of(trial.settings)
    layout = layout_of(list(trial.settings.model.widths(784)), spec)
    n = trial.settings.training.batch.images_per_step(2000)
    first, ws = workspaces(n, spec, layout, trial.settings.model.dropout.drops, np.dtype(np.float32))
    taken = first.gy.nbytes + first.data.nbytes + ws.flat.nbytes
    lit = 2 * np.count_nonzero(data.x_train)
    assert needed.per_thread - 4 * (20 * lit // 4) * n // 2000 == pytest.approx(taken, rel=0.1)
    more = [needed.of(r + 1) - needed.of(r) for r in (2, 3)]
    assert more == [needed.per_replica + needed.per_thread, needed.per_replica]
    for replicas in (1, 2, 3, 4, 5, 20):
        assert needed.fitting(needed.of(replicas)) == replicas
        assert needed.fitting(needed.of(replicas) - 1) == max(1, replicas - 1)


def test_a_large_batch_has_no_scratch_of_a_thread():
    assert need_of("training: {batch: full}", CPU).per_thread == 0


def test_a_large_minibatch_shares_its_activations_too():
    small, large = (need_of(f"training: {{batch: {size}}}", CPU, 10_000) for size in (2047, 2048))
    assert large.fixed - small.fixed > 4 * 2048 * 400
    assert large.per_replica == pytest.approx(small.per_replica, rel=0.01)


def test_on_the_cpu_a_training_set_that_is_evaluated_takes_room():
    """A large batch of all images is there already; its activations by its own statistics are not."""

    def extra(text, statistics):
        plain, evaluated = (
            need_of(f"{text}\nevaluation: {{statistics: {statistics}, training_set: {training_set}}}", CPU)
            for training_set in ("false", "true")
        )
        return evaluated.of(1) - plain.of(1)

    by_fours = 20 * 2 * np.count_nonzero(some_digits(2000, 500).x_train) // 4
    activations = 4 * 2000 * (400 + 10)
    for text, statistics, want in (
        ("training: {batch: full}", "running", 0),
        ("training: {batch: full}", "batch", activations),
        ("training: {batch: 20}", "running", by_fours),
        ("training: {batch: 20}", "batch", by_fours + activations),
    ):
        assert extra(text, statistics) == want
