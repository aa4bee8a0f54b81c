"""How much memory a group is expected to need."""

import numpy as np
import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.engines.cpu.ops.layout import layout_of
from bnrenorm.engines.cpu.small_batch.steps import workspaces
from bnrenorm.engines.cuda import evaluator, spans, workspace
from bnrenorm.engines.cuda.rows import divide
from bnrenorm.engines.evaluate import GPU_BYTES
from bnrenorm.engines.spec import BATCH, spec_of
from bnrenorm.errors import InputError
from bnrenorm.runs import memory
from tests.engines.cuda.kernels.cases import kernel_spec
from tests.helpers import ENGINES, some_digits, trials_of

CPU, CHAINER, CUDA = Backend("cpu", "cpu"), Backend("chainer", "cpu"), Backend("cuda", "cuda:0")
CHAINER_ON_GPU = Backend("chainer", "cuda:0")


def need(text, backend, images=2000):
    """Return what trials of a YAML text need for that many training images and 500 of tests."""
    return memory.need(trials_of(text, images)[0], some_digits(images, 500), backend)


def test_a_gpu_takes_no_more_replicas_than_the_second_axis_of_a_grid():
    for backend, want in ((CUDA, 65_535), (CHAINER_ON_GPU, 10**6)):
        needed = need("model: {hidden: [1]}", backend)
        assert needed.fitting(needed.of(10**6)) == want


@pytest.mark.parametrize("engine", ENGINES)
def test_a_group_takes_what_its_replicas_take_and_something_besides(engine):
    backend = Backend(engine, "cpu")
    full, wide = (need(f"model: {{hidden: [{width}]}}", backend) for width in (100, 200))
    assert wide.of(3) - wide.of(2) > 1.5 * (full.of(3) - full.of(2))
    assert full.fitting(full.of(5)) == 5
    assert full.fitting(full.of(5) - 1) == 4
    assert full.fitting(1) == 1
    assert full.fixed > 5 * 784 * 2000  # bytes, and as float32
    adam, sgd = (need(f"training: {{optimizer: {{kind: {kind}}}}}", backend) for kind in ("adam", "sgd"))
    assert adam.per_replica >= sgd.per_replica


def test_an_optimizer_without_kernels_is_taken_to_keep_as_much_as_adam(monkeypatch):
    adam, sgd = (need(f"training: {{optimizer: {{kind: {kind}}}}}", CHAINER) for kind in ("adam", "sgd"))
    monkeypatch.delitem(memory.CODES, "sgd")
    assert need("training: {optimizer: {kind: sgd}}", CHAINER) == adam != sgd


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
    needed, spec = memory.need(trial, data, CPU), spec_of(trial.settings)
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
    assert need("training: {batch: full}", CPU).per_thread == 0


def test_micro_batches_and_an_epochs_last_batch_take_memory_of_a_gpu():
    whole, micro, rest = (
        need(f"training: {{batch: {batch}}}", CUDA).per_replica
        for batch in (
            "{kind: iid, size: 1200}",
            "{kind: iid, size: 1200}, micro_batch: 2",
            "{kind: iid, size: 1200, remainder: keep}",
        )
    )
    assert micro - whole > 600 * (6 + 3 + 2) * 400 * 4
    assert rest - whole > 800 * 3 * 400 * 4


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
    small, large = (need(text, Backend(engine, "cuda:0")) for text in (less, more))
    assert large.per_replica > small.per_replica
    assert small.fixed > 4 * 784 * 2500  # the images as float32
    assert large.per_replica >= 4 * 784 * 100 * 3  # weights, gradients, velocities


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
    first, second = (need(f"training: {{batch: 1000}}\n{text}", CHAINER_ON_GPU) for text in (plain, costly))
    assert second.per_replica > first.per_replica


def test_a_large_minibatch_shares_its_activations_too():
    small, large = (need(f"training: {{batch: {size}}}", CPU, 10_000) for size in (2047, 2048))
    assert large.fixed - small.fixed > 4 * 2048 * 400
    assert large.per_replica == pytest.approx(small.per_replica, rel=0.01)


def test_the_cpu_engines_replicas_share_their_activations():
    data = some_digits(2000, 500)
    compiled, graph, on_gpu = (need("", backend) for backend in (CPU, CHAINER, CHAINER_ON_GPU))
    lit, tested = (2 * np.count_nonzero(x) for x in (data.x_train, data.x_test))  # with those black beside lit ones
    assert compiled.fixed - graph.fixed == 4 * 2000 * (400 + 10) + 20 * tested // 4 + 2 * (20 * lit // 4)
    assert compiled.per_replica < graph.per_replica
    assert on_gpu.per_replica == graph.per_replica  # here the training's activations are the largest
    assert on_gpu.fixed == 4 * 784 * 2500 + GPU_BYTES + 200 * 2**20


def test_a_gpu_holds_what_its_tensor_cores_take():
    """Images and weights of 6 bytes a number, rows of which have a multiple of 8; so have a batch and its gradients."""

    def scratch(width, n, *, learning):
        shape = (784, width, 10), divide(n), kernel_spec(BATCH)
        return workspace.bytes_of(np.float32, *shape, drops=False, learning=learning)

    small, large, wide = (
        need(f"model: {{hidden: [{width}]}}\ntraining: {{batch: {n}}}", CUDA)
        for width, n in ((100, 1000), (100, 1001), (101, 1000))
    )
    without = 4 * 784 * 2500 + evaluator.BUDGET + spans.BYTES + 232 * 2**20
    assert small.fixed == without + 6 * 784 * 2500
    # of an image: inputs and outputs of the layer, its gradient, logits, whether it is right; a batch's share of pieces
    row = 4 * (3 * 100 + 10) + 1
    assert large.per_replica - small.per_replica == row + 4 * 784 + 6 * 784 + 6 * 104
    node = sum(
        sign * scratch(width, 1000, learning=True) + sign * scratch(width, 200, learning=False)
        for sign, width in ((1, 101), (-1, 100))
    )
    assert wide.per_replica - small.per_replica == node + 3 * 4 * 794 + 6 * 784


@pytest.mark.parametrize("backend", [CHAINER, CPU, CUDA])
@pytest.mark.parametrize(("average", "kept"), [("null", 1), ("0.9", 2)])
def test_early_stopping_keeps_the_best_weights_and_their_average(backend, average, kept):
    plain, stopping = (
        need(
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


def test_on_the_cpu_a_training_set_that_is_evaluated_takes_room():
    """A large batch of all images is there already; its activations by its own statistics are not."""

    def extra(text, statistics):
        plain, evaluated = (
            need(f"{text}\nevaluation: {{statistics: {statistics}, training_set: {training_set}}}", CPU)
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


@pytest.mark.parametrize("backend", [CHAINER, CHAINER_ON_GPU])
def test_only_statistics_of_the_evaluated_set_itself_take_all_of_its_activations_at_once(backend):
    running, population, batch = (
        need(f"training: {{batch: 20}}\nevaluation: {{statistics: {kind}, training_set: true}}", backend, 5000)
        for kind in ("running", "population", "batch")
    )
    assert population == running
    assert batch.per_replica - running.per_replica > 2000 * 400 * 4


def test_a_network_may_take_all_of_the_memory():
    (trial,) = trials_of("variants: {BN: {}}")
    needed = memory.Need(fixed=300, per_replica=90, per_thread=10)
    memory.check(trial, needed, 400)
    with pytest.raises(InputError, match="BN: one network needs about 400 B of memory, but may take 399 B; choose"):
        memory.check(trial, needed, 399)
