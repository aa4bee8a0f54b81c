"""Groups that do not fit the memory of a GPU: they go on in halves, from their checkpoint or from the start."""

import gc
import weakref

import numpy as np
import pytest

from bnrenorm.engines.backend import Backend
from bnrenorm.errors import DeviceError, InputError, OutOfMemory
from bnrenorm.runs import group as groups
from bnrenorm.runs.store import Store
from tests.helpers import COMPARED, ENGINES, Clock
from tests.runs import runs

FIVE = (
    COMPARED.replace("seeds: 2", "seeds: 5")
    .replace("steps: 4", "steps: 6")
    .replace("steps: 6,", "steps: 6, batch: 20,")
)
"""Ten trials of one structure."""


class OutOfMemoryError(MemoryError):
    """As CuPy names and places it."""

    __module__ = "cupy.cuda.memory"


class CUDARuntimeError(RuntimeError):
    __module__ = "cupy_backends.cuda.api.runtime"


def train(text, data, store, backend=None, notes=None, report=lambda progress: None):
    """Train what is missing; return the results by variant and seed."""
    note = (notes if notes is not None else []).append
    results = runs.train(text, data, store, report, backend=backend or runs.CHAINER, note=note)
    return {(trial.variant, trial.seed): result for trial, result in results}


def unbroken(text, data, tmp_path, backend=None):
    store = Store(tmp_path / "unbroken")
    store.prepare()
    return train(text, data, store, backend)


def limit(monkeypatch, largest, *, step=0, error=OutOfMemoryError):
    """Let every group of more than `largest` replicas fail once it has taken `step` steps; return the groups' sizes."""
    sizes, real = [], groups.Training

    def training(trials, data, *, engine, device):
        made = real(trials, data, engine=engine, device=device)
        sizes.append(len(trials))
        advance = made.engine.advance

        def fail_or_advance(first, steps, *, observe):
            if first >= step and len(trials) > largest:
                raise error("Out of memory allocating\n12,345 bytes")
            advance(first, steps, observe=observe)

        made.engine.advance = fail_or_advance
        return made

    monkeypatch.setattr(groups, "Training", training)
    return sizes


def assert_same_records(got, want):
    assert got.keys() == want.keys()
    for trial, result in want.items():
        assert got[trial].records.keys() == result.records.keys()
        for name, values in result.records.items():
            np.testing.assert_array_equal(got[trial].records[name], values)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_group_that_does_not_fit_is_halved_until_it_does_and_no_bit_changes(
    few, store, tmp_path, monkeypatch, engine
):
    backend = Backend(engine, "cpu")
    want = unbroken(FIVE, few, tmp_path, backend)
    sizes, notes = limit(monkeypatch, 3), []
    got = train(FIVE, few, store, backend, notes)
    assert sizes == [10, 5, 2, 3, 2, 3]  # the second five is known not to fit and is not tried
    assert_same_records(got, want)
    full = "cpu: OutOfMemoryError: Out of memory allocating 12,345 bytes"
    assert notes == [
        f"{full}: going on with 5 networks at a time instead of 10",
        f"{full}: going on with 3 networks at a time instead of 5",
    ]
    assert not list(store.checkpoints.iterdir())


def test_groups_of_another_structure_are_tried_as_they_are(few, store, monkeypatch):
    sizes = limit(monkeypatch, 5)
    train(FIVE.replace("variants:", "variants:\n  plain: {norm: {kind: none}}"), few, store)
    assert sizes == [5, 10, 5, 5]


def test_halves_go_on_from_the_groups_checkpoint(few, store, tmp_path, monkeypatch):
    want = unbroken(FIVE, few, tmp_path)
    monkeypatch.setattr(groups, "SAVE_EVERY", 0.0)
    limit(monkeypatch, 5, step=4)
    shown = []
    got = train(FIVE, few, store, report=lambda progress: shown.append((len(progress.trials), progress.record.step)))
    assert shown == [
        *((10, step) for step in (1, 2, 3, 4)),
        *((5, step) for step in (5, 6)),
        *((5, step) for step in (5, 6)),
    ]
    assert_same_records(got, want)
    assert not list(store.checkpoints.iterdir())


def test_halves_have_their_share_of_the_groups_seconds(few, store, monkeypatch):
    """Ten train for 40 s and do not fit, then each five for 20 s: 80 s in all."""
    clock = Clock()
    monkeypatch.setattr(groups.time, "monotonic", clock)
    monkeypatch.setattr(groups, "SAVE_EVERY", 0.0)
    limit(monkeypatch, 5, step=4)

    def wait(progress):
        clock.now += 10

    results = train(FIVE, few, store, report=wait)
    assert {result.seconds for result in results.values()} == {80 / 10}


def test_a_checkpoint_of_a_group_that_is_known_not_to_fit_is_halved_too(few, store, tmp_path, monkeypatch):
    """One that was left by a command on a larger GPU."""
    want = unbroken(FIVE, few, tmp_path)
    monkeypatch.setattr(groups, "SAVE_EVERY", 0.0)
    with monkeypatch.context() as patched:
        limit(patched, 0, step=3, error=CUDARuntimeError)
        with pytest.raises(DeviceError):
            train(FIVE, few, store)
    assert len(list(store.checkpoints.glob("*.json"))) == 2
    sizes = limit(monkeypatch, 5)
    shown = []
    got = train(FIVE, few, store, report=lambda progress: shown.append(progress.record.step))
    assert sizes == [10, 5, 5]
    assert shown == [4, 5, 6, 4, 5, 6]
    assert_same_records(got, want)


def test_a_checkpoint_that_a_full_gpu_cannot_load_is_not_damaged(few, store, tmp_path, monkeypatch):
    want, real, notes, shown = unbroken(FIVE, few, tmp_path), groups.Training, [], []
    monkeypatch.setattr(groups, "SAVE_EVERY", 0.0)
    with monkeypatch.context() as patched:
        limit(patched, 0, step=3, error=CUDARuntimeError)
        with pytest.raises(DeviceError):
            train(FIVE, few, store)

    def training(trials, data, *, engine, device):
        made = real(trials, data, engine=engine, device=device)
        load = made.engine.replicas.load_state_dict

        def fail_or_load(state):
            if len(trials) > 5:
                raise OutOfMemoryError("full")
            load(state)

        made.engine.replicas.load_state_dict = fail_or_load
        return made

    monkeypatch.setattr(groups, "Training", training)
    got = train(FIVE, few, store, notes=notes, report=lambda progress: shown.append(progress.record.step))
    assert notes == ["cpu: OutOfMemoryError: full: going on with 5 networks at a time instead of 10"]
    assert shown == [4, 5, 6, 4, 5, 6]
    assert_same_records(got, want)


def test_one_network_that_does_not_fit_is_an_input_error_and_finished_groups_are_kept(few, store, monkeypatch):
    real = groups.Training

    def training(trials, data, *, engine, device):
        if trials[0].variant != "plain":
            raise OutOfMemory("cuda:0: full")
        return real(trials, data, engine=engine, device=device)

    monkeypatch.setattr(groups, "Training", training)
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    message = r"BN: one network needs more memory than there is \(cuda:0: full\); choose a smaller network or batch"
    with pytest.raises(InputError, match=message):
        train(text, few, store)
    assert len(list(store.trials.glob("*.json"))) == 2


def test_a_gpu_that_fails_otherwise_ends_the_run_and_finished_groups_are_kept(few, store, monkeypatch):
    text = COMPARED.replace("variants:", "variants:\n  plain: {norm: {kind: none}}")
    limit(monkeypatch, 2, error=CUDARuntimeError)
    with pytest.raises(DeviceError) as raised:
        train(text, few, store)
    assert type(raised.value) is DeviceError
    assert str(raised.value) == "cpu: CUDARuntimeError: Out of memory allocating 12,345 bytes"
    assert len(list(store.trials.glob("*.json"))) == 2


def test_what_a_group_that_did_not_fit_held_is_gone_before_its_half_is_made(few, store, monkeypatch):
    alive, made, released, real = [], [], [], groups.Training

    def training(trials, data, *, engine, device):
        alive.append(sum(each() is not None for each in made))
        job = real(trials, data, engine=engine, device=device)
        made.append(weakref.ref(job.engine.replicas.network))
        if len(trials) > 5:

            def fail(*_, **__):
                raise OutOfMemoryError("full")

            job.engine.advance = fail
        return job

    monkeypatch.setattr(groups, "Training", training)
    monkeypatch.setattr(groups.devices, "release_memory", lambda device: released.append((device, len(made))))
    gc.disable()  # what goes is collected by the trainer
    try:
        train(FIVE, few, store)
    finally:
        gc.enable()
    assert alive == [0, 0, 0]
    assert released == [("cpu", 1), ("cpu", 2), ("cpu", 3)]


@pytest.mark.gpu
def test_a_gpus_full_memory_halves_a_group_and_its_results_are_those_of_a_large_memory(few, store, tmp_path):
    import cupy

    backend, pool, notes = Backend("chainer", "cuda:0"), cupy.get_default_memory_pool(), []
    text = FIVE.replace("hidden: [20]", "hidden: [100]")
    want = unbroken(text, few, tmp_path, backend)
    gc.collect()
    pool.free_all_blocks()
    pool.set_limit(size=pool.total_bytes() + 9 * 2**20)
    try:
        got = train(text, few, store, backend, notes)
    finally:
        pool.set_limit(size=0)
    assert notes[0].startswith("cuda:0: OutOfMemoryError: ")
    for name, result in want.items():
        assert got[name].outcome == "finished"
        np.testing.assert_allclose(got[name].records["train_loss"], result.records["train_loss"], rtol=1e-4)
