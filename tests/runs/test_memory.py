"""The estimated memory of a group beside what its training really takes, and beside what it may take."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.engines.memory import Need
from bnrenorm.errors import InputError
from bnrenorm.runs import memory
from bnrenorm.training import loop
from tests.helpers import ENGINES, some_digits, trials_of

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


def test_a_network_may_take_all_of_the_memory():
    (trial,) = trials_of("variants: {BN: {}}")
    needed = Need(fixed=300, per_replica=90, per_thread=10)
    memory.check(trial, needed, 400)
    with pytest.raises(InputError, match="BN: one network needs about 400 B of memory, but may take 399 B; choose"):
        memory.check(trial, needed, 399)
