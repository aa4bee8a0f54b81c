"""The estimated memory of a group beside what its training really takes, and beside what it may take."""

import gc
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

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


@pytest.mark.parametrize(
    ("text", "want"),
    [
        *(("4GiB", 2**32), ("3MiB", 3 * 2**20), ("1.5KiB", 1536)),
        *(("2GB", 2 * 10**9), ("500 MB", 5 * 10**8), ("8KB", 8000), ("9B", 9), ("7", 7)),
    ],
)
def test_memory_is_read_with_its_unit(text, want):
    assert memory.parse_memory(text) == want


@pytest.mark.parametrize("text", ["", "4 gigs", "-1GiB", "0", "GiB", "1e60", "9" * 400, "٣GiB"])
def test_other_memory_is_refused(text):
    with pytest.raises(InputError, match="--memory .*expected a size such as 4GiB"):
        memory.parse_memory(text)


@pytest.mark.parametrize(("free", "want"), [(8, 4), (1.5, 1), (0.5, 0.5)])
def test_half_of_what_is_free_is_taken_where_nothing_is_said_or_as_much_as_any_config_needs(monkeypatch, free, want):
    monkeypatch.setattr(memory, "free_memory", lambda processes: int(free * 2**30))
    assert memory.parse_memory(None) == want * 2**30


def test_four_fifths_of_what_is_free_on_a_gpu_is_taken_where_nothing_is_said(monkeypatch):
    monkeypatch.setattr(memory.devices, "free_memory", {"cuda:1": 10 * 2**30}.__getitem__)
    assert memory.parse_memory(None, "cuda:1") == 8 * 2**30
    assert memory.parse_memory("3GiB", "cuda:1") == 3 * 2**30


@pytest.mark.parametrize(("left", "want"), [([], 1000), ([300, 200], 200), ([3000], 1000), ([-40], 0)])
def test_the_least_of_what_the_machine_and_each_control_group_have_left_is_free(monkeypatch, left, want):
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    monkeypatch.setattr(memory.control_groups, "memory_left", lambda: left)
    assert memory.free_memory() == want


def test_a_limit_on_addresses_leaves_what_is_not_taken_yet_to_each_process():
    """As `ulimit -v` sets it, or a batch system that knows no control groups."""
    code = "from bnrenorm.runs import memory; import psutil; psutil.virtual_memory().available; "
    code += "print(memory.free_memory(), memory.free_memory(2), psutil.Process().memory_info().vms)"
    limited = ["sh", "-c", f'ulimit -S -v {2**30 // 1024}; exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(limited, capture_output=True, check=True, text=True)
    one, two, taken = map(int, done.stdout.split())
    assert one == pytest.approx(2**30 - taken, rel=0.01)
    assert two == pytest.approx(2 * one, rel=0.01)
    assert 0 < one < 2**30
