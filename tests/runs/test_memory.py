import gc
import subprocess
import sys
from pathlib import Path

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
from bnrenorm.training import loop
from tests.engines.cuda.kernels.cases import kernel_spec
from tests.helpers import ENGINES, some_digits, trials_of


@pytest.mark.parametrize(("text", "want"), [("4GiB", 2**32), ("500 MB", 5 * 10**8), ("1.5KiB", 1536), ("7", 7)])
def test_memory_is_read_with_its_unit(text, want):
    assert memory.parse_memory(text) == want


@pytest.mark.parametrize("text", ["", "4 gigs", "-1GiB", "0", "GiB", "1e60", "9" * 400, "٣GiB"])
def test_other_memory_is_refused(text):
    with pytest.raises(InputError, match="--memory .*expected a size such as 4GiB"):
        memory.parse_memory(text)


@pytest.mark.parametrize(("free", "want"), [(8, 4), (1.5, 1), (0.5, 0.5)])
def test_half_of_what_is_free_is_taken_where_nothing_is_said_or_as_much_as_any_config_needs(monkeypatch, free, want):
    class Free:
        available = int(free * 2**30)

    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: Free)
    assert memory.parse_memory(None) == want * 2**30


def test_four_fifths_of_what_is_free_on_a_gpu_is_taken_where_nothing_is_said(monkeypatch):
    monkeypatch.setattr(memory.devices, "free_memory", {"cuda:1": 10 * 2**30}.__getitem__)
    assert memory.parse_memory(None, "cuda:1") == 8 * 2**30
    assert memory.parse_memory("3GiB", "cuda:1") == 3 * 2**30


def test_a_gpu_takes_no_more_replicas_than_the_second_axis_of_a_grid():
    (trial,) = trials_of("model: {hidden: [1]}", 2000)
    for backend, want in ((Backend("cuda", "cuda:0"), 65_535), (Backend("chainer", "cuda:0"), 10**6)):
        needed = memory.need(trial, some_digits(2000, 500), backend)
        assert needed.fitting(needed.of(10**6)) == want


@pytest.mark.parametrize("engine", ENGINES)
def test_a_group_takes_what_its_replicas_take_and_something_besides(engine):
    data = some_digits(2000, 500)

    def need(text):
        (trial,) = trials_of(text, 2000)
        return memory.need(trial, data, Backend(engine, "cpu"))

    full, wide = need("model: {hidden: [100]}"), need("model: {hidden: [200]}")
    assert wide.of(3) - wide.of(2) > 1.5 * (full.of(3) - full.of(2))
    assert full.fitting(full.of(5)) == 5
    assert full.fitting(full.of(5) - 1) == 4
    assert full.fitting(1) == 1
    assert full.fixed > data.x_train.nbytes * 5  # bytes, and as float32
    assert (
        need("training: {optimizer: {kind: adam}}").per_replica
        >= need("training: {optimizer: {kind: sgd}}").per_replica
    )


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
    need, spec = memory.need(trial, data, Backend("cpu", "cpu")), spec_of(trial.settings)
    layout = layout_of(list(trial.settings.model.widths(784)), spec)
    n = trial.settings.training.batch.images_per_step(2000)
    first, ws = workspaces(n, spec, layout, trial.settings.model.dropout.drops, np.dtype(np.float32))
    taken = first.gy.nbytes + first.data.nbytes + ws.flat.nbytes
    lit = 2 * np.count_nonzero(data.x_train)
    assert need.per_thread - 4 * (20 * lit // 4) * n // 2000 == pytest.approx(taken, rel=0.1)
    more = [need.of(r + 1) - need.of(r) for r in (2, 3)]
    assert more == [need.per_replica + need.per_thread, need.per_replica]
    for replicas in (1, 2, 3, 4, 5, 20):
        assert need.fitting(need.of(replicas)) == replicas
        assert need.fitting(need.of(replicas) - 1) == max(1, replicas - 1)


def test_a_large_batch_has_no_scratch_of_a_thread():
    (trial,) = trials_of("training: {batch: full}", 2000)
    assert memory.need(trial, some_digits(2000, 500), Backend("cpu", "cpu")).per_thread == 0


def test_micro_batches_and_an_epochs_last_batch_take_memory_of_a_gpu():
    def need(batch):
        (trial,) = trials_of(f"training: {{batch: {batch}}}", 2000)
        return memory.need(trial, some_digits(2000, 500), Backend("cuda", "cuda:0")).per_replica

    whole, rest = "{kind: iid, size: 1200}", "{kind: iid, size: 1200, remainder: keep}"
    assert need(f"{whole}, micro_batch: 2") - need(whole) > 600 * (6 + 3 + 2) * 400 * 4
    assert need(rest) - need(whole) > 800 * 3 * 400 * 4


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
    small, large = (
        memory.need(trials_of(text, 2000)[0], some_digits(2000, 500), Backend(engine, "cuda:0"))
        for text in (less, more)
    )
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
    first, second = (
        memory.need(
            trials_of(f"training: {{batch: 1000}}\n{text}", 2000)[0],
            some_digits(2000, 500),
            Backend("chainer", "cuda:0"),
        )
        for text in (plain, costly)
    )
    assert second.per_replica > first.per_replica


def test_a_large_minibatch_shares_its_activations_too():
    small, large = (
        memory.need(
            trials_of(f"training: {{batch: {size}}}", 10_000)[0], some_digits(10_000, 500), Backend("cpu", "cpu")
        )
        for size in (2047, 2048)
    )
    assert large.fixed - small.fixed > 4 * 2048 * 400
    assert large.per_replica == pytest.approx(small.per_replica, rel=0.01)


def test_the_cpu_engines_replicas_share_their_activations():
    data = some_digits(2000, 500)
    (trial,) = trials_of("", 2000)
    compiled, graph = (memory.need(trial, data, Backend(engine, "cpu")) for engine in ("cpu", "chainer"))
    lit, tested = (2 * np.count_nonzero(x) for x in (data.x_train, data.x_test))  # with those black beside lit ones
    on_gpu = memory.need(trial, data, Backend("chainer", "cuda:0"))
    assert compiled.fixed - graph.fixed == 4 * 2000 * (400 + 10) + 20 * tested // 4 + 2 * (20 * lit // 4)
    assert compiled.per_replica < graph.per_replica
    assert on_gpu.per_replica == graph.per_replica  # here the training's activations are the largest
    assert on_gpu.fixed == 4 * 784 * 2500 + GPU_BYTES + 200 * 2**20


def test_a_gpu_holds_what_its_tensor_cores_take():
    """Images and weights of 6 bytes a number, rows of which have a multiple of 8; so have a batch and its gradients."""

    def scratch(width, n, *, learning):
        shape = (784, width, 10), divide(n), kernel_spec(BATCH)
        return workspace.bytes_of(np.float32, *shape, drops=False, learning=learning)

    data = some_digits(2000, 500)
    small, large = (
        memory.need(
            trials_of(f"model: {{hidden: [100]}}\ntraining: {{batch: {n}}}", 2000)[0], data, Backend("cuda", "cuda:0")
        )
        for n in (1000, 1001)
    )
    without = 4 * 784 * 2500 + evaluator.BUDGET + spans.BYTES + 232 * 2**20
    assert small.fixed == without + 6 * 784 * 2500
    # of an image: inputs and outputs of the layer, its gradient, logits, whether it is right; a batch's share of pieces
    row = 4 * (3 * 100 + 10) + 1
    assert large.per_replica - small.per_replica == row + 4 * 784 + 6 * 784 + 6 * 104
    (wide,) = trials_of("model: {hidden: [101]}\ntraining: {batch: 1000}", 2000)
    node = sum(
        sign * scratch(width, 1000, learning=True) + sign * scratch(width, 200, learning=False)
        for sign, width in ((1, 101), (-1, 100))
    )
    assert (
        memory.need(wide, data, Backend("cuda", "cuda:0")).per_replica - small.per_replica
        == node + 3 * 4 * 794 + 6 * 784
    )


@pytest.mark.parametrize("backend", [Backend("chainer", "cpu"), Backend("cpu", "cpu"), Backend("cuda", "cuda:0")])
@pytest.mark.parametrize(("average", "kept"), [("null", 1), ("0.9", 2)])
def test_early_stopping_keeps_the_best_weights_and_their_average(backend, average, kept):
    def each(stopping):
        text = f"""
data: {{validation: 50}}
evaluation: {{average: {average}}}
training: {{batch: 20, steps: 2, early_stopping: {stopping}}}
"""
        return memory.need(
            trials_of(f"{text}model: {{hidden: [10]}}", 200)[0], some_digits(200, 100), backend
        ).per_replica

    assert each("{patience: 5}") - each("null") == kept * 4 * (784 * 10 + 10 * 10)


TRAIN = """
import sys
from pathlib import Path
from bnrenorm.training import loop
from tests.helpers import some_digits, trials_of
engine, text = sys.argv[1:]
training = loop.Training(trials_of(text, 2000), some_digits(2000, 2000), engine=engine)
list(training)
training.state_dict()
status = Path("/proc/self/status").read_text()  # getrusage's peak would be the parent's, where that was larger
print(1024 * int(status.partition("VmHWM:")[2].split()[0]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process its peak")
@pytest.mark.parametrize("batch", ["100", "full"])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_estimate_is_what_a_training_really_takes(engine, batch):
    """Of two sizes of a group, so that both the whole and what a replica adds to it are seen."""
    sizes, text = (2, 10), f"model: {{hidden: [400]}}\ntraining: {{batch: {batch}, steps: 1}}\nseeds: "
    commands = [[sys.executable, "-c", TRAIN, engine, f"{text}{size}"] for size in sizes]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    peaks = [int(process.communicate()[0]) for process in running]
    need = memory.need(trials_of(f"{text}1", 2000)[0], some_digits(2000, 2000), Backend(engine, "cpu"))
    for size, peak in zip(sizes, peaks, strict=True):
        assert 0.8 * peak < need.of(size) < 2.5 * peak
    slope = (peaks[1] - peaks[0]) / (sizes[1] - sizes[0])
    assert slope / 1.5 < need.per_replica < slope * 2


KINDS = {
    "full": "training: {batch: full, steps: 2}",
    "mini-batch": "training: {batch: 100, steps: 2}",
    "micro-batches": "training: {batch: 400, micro_batch: 20, steps: 2}",
    "layer": "norm: {kind: layer}\ntraining: {batch: 500, steps: 2}",
    "Adam, averages": "training: {batch: 20, optimizer: {kind: adam}, steps: 2}\nevaluation: {average: 0.9}",
    "best": "data: {validation: 100}\ntraining: {batch: 20, steps: 2, early_stopping: {patience: 5}}",
    "batch statistics": "training: {batch: 100, steps: 2}\nevaluation: {statistics: batch, training_set: true}",
    "exact dropout": "model.dropout: {form: exact, keep_input: 0.8}\ntraining: {batch: 500, steps: 2}",
    "inverted dropout": "model.dropout: {form: inverted, keep_hidden: 0.8}\ntraining: {batch: 500, steps: 2}",
    "softsign": "model.activation: softsign\ntraining: {batch: 500, steps: 2}",
}


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_holds_what_a_gpus_training_takes(kind):
    """Of two sizes of a group: CuPy's pool keeps whatever was once allocated."""
    import cupy

    data, pool, held = some_digits(500, 200), cupy.get_default_memory_pool(), []
    for seeds in (2, 6):
        settings, _, rest = KINDS[kind].partition("\n") if KINDS[kind].startswith("model.") else ("", "", KINDS[kind])
        overrides = [settings.replace(": ", "=", 1)] if settings else []
        trials = trials_of(f"model: {{hidden: [100]}}\n{rest}\nseeds: {seeds}", 500, overrides)
        gc.collect()
        pool.free_all_blocks()
        before = pool.total_bytes()
        training = loop.Training(trials, data, device="cuda:0")
        list(training)
        held.append(pool.total_bytes() - before)
        del training
    need = memory.need(trials[0], data, Backend("chainer", "cuda:0"))
    each = (held[1] - held[0]) / 4
    assert each < need.per_replica < 2 * each
    assert held[0] - 2 * each < need.fixed
